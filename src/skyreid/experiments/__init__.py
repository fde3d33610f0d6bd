"""What is done with the whole of skyreid: the demo, the paper's tables again, a checkpoint scored on a benchmark."""
