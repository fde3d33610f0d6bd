"""The default without weights: people found by motion and tracked, before a static or a moving camera.

Static camera (`find_people`), measured on three clips, on which the settings were also chosen. Six people one
after the other, who stand for up to 25 s: six tracks of one person each. Football from a stand, people of 40 to 200
pixels: 40 of 44 tracks show one person throughout, the other four show a pair that never parts or a spectator
behind. 0.02 to 0.04 processor seconds a searched frame.

Moving camera (`find_people_from_moving_camera`), measured on four simulated drone flights at 31 to 58 m over four
people each, on which the handling of shadows was also chosen: 47 % of the true boxes found at an IoU of 0.5, 61 % at
0.3; all 19 tracks are of people, and 99 % of their boxes show the track's own person. Missed are people who stand,
who walk as a pair, or who hardly differ from the ground. Football from straight above, a real drone whose
film has coloured frames drawn around the 22 players, which helps: 19 boxes at once in the median frame. 0.15
processor seconds a searched frame of 1280 x 720.

These figures are of tracks as they are cut where people meet; pieces that are then joined (`joining`) are measured in
docs/results.md, "Pieces of tracks".
"""
