"""One example of every command, as its help and docs/commands.md show it."""

EXAMPLES = {
    "build": (
        "skyreid build --source gate.mp4,platform=ground,camera=gate --source roof.mp4,platform=aerial,camera=roof "
        "--out built"
    ),
    "embed": "skyreid embed built --model runs/small/checkpoint --out table.npz",
    "search": "skyreid search table.npz --query gate-gate-0001 --to aerial --out found.html",
    "browse": "skyreid browse built --videos footage",
    "calibrate": "skyreid calibrate query.npz gallery.npz --protocol ground-to-aerial --out calibration.json",
    "weights list": "skyreid weights list",
    "weights get": "skyreid weights get yolox-s",
    "weights path": "skyreid weights path yolox-s",
    "weights add": "skyreid weights add yolox-s yolox_s.onnx",
    "link": "skyreid link built --table table.npz --annotator anna",
    "data export": "skyreid data export built --out g2a --format g2a",
    "data list": "skyreid data list",
    "data verify": "skyreid data verify g2a-vreid --root data/g2a",
    "data stats": "skyreid data stats built --picture statistics.png",
    "data split": "skyreid data split --root data/g2a-v2 --out split.json",
    "recipe list": "skyreid recipe list",
    "recipe show": "skyreid recipe show vsla-clip-g2a-release",
    "train": "skyreid train vsla-clip-small --data-root data/g2a --run-dir runs/small",
    "model info": "skyreid model info vsla-clip-g2a-release",
    "model import": "skyreid model import openai ViT-B-16.pt --out weights/clip",
    "model export": "skyreid model export runs/small/checkpoint --out encoder.pt2",
    "evaluate tables": "skyreid evaluate tables query.npz gallery.npz --protocol ground-to-aerial",
    "evaluate average": "skyreid evaluate average 0.json 1.json 2.json --over seeds",
    "evaluate construction": "skyreid evaluate construction built --truth world",
    "evaluate": "skyreid evaluate runs/small --data g2a-vreid --root data/g2a",
    "compare": "skyreid compare first.json second.json",
    "reproduce table2": "skyreid reproduce table2 --data g2a-vreid --root data/g2a --epochs 2 --batch 4 2",
    "reproduce": "skyreid reproduce table3 --seeds 3",
    "demo": "skyreid demo --out demo",
    "simulate": "skyreid simulate --identities 9 --out world",
    "model pretrain": "skyreid model pretrain --out weights/small-clip",
    "completion": 'eval "$(skyreid completion bash)"',
}
