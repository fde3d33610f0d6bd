"""People found by a user's own detector: an ONNX file of a family whose pictures and boxes are declared here."""
