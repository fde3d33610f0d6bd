"""The paper's ablation tables, trained on simulated people: `skyreid ablate`."""
