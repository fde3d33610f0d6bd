"""Where things are: what somebody asks who has never seen the house, and the place that answers."""

import ast
from pathlib import Path

import pytest

import skyreid

PACKAGE = Path(skyreid.__file__).parent
ANSWERS = {
    "Where is CFAA?": "models/cross_frame_adapter.py: CrossFrameAdapter",
    "Where is IFA?": "models/intra_frame_adapter.py: IntraFrameAdapter",
    "Where are the platform-bridge prompts?": "models/platform_prompt.py: PlatformPrompt",
    "Where is the rule that MARS is scored by?": "datasets/protocol.py: MARS",
    "Where is a face masked?": "building/crops/face_mask.py: FaceMask",
    "How is a new family of detectors added?": "building/detection/families.py: FAMILIES",
    "Who is found before a camera that stands still?": "building/motion/static_camera.py: find_people",
    "What does a step of stage 2 compute?": "training/stage2.py: Stage2Step",
    "What does a step of stage 1 compute?": "training/stage1.py: stage1_losses",
    "Where do decoded training frames lie?": "clips/frame_bank.py: FrameBank",
    "Which learning rate has an epoch?": "training/optimizer.py: StepSchedule",
    "What is kept of a training that is killed?": "training/run_folder.py: TrainingState",
    "What did the paper print in Table 3?": "experiments/paper_tables.py: TABLE_3",
    "Where is Table 3 printed?": "experiments/ablation.py: AblationTable",
    "Where is Table 2 printed?": "experiments/method_comparison.py: ComparisonTable",
    "How is a checkpoint scored on a benchmark?": "experiments/checkpoint_evaluation.py: evaluate_checkpoint",
    "How is a new benchmark added?": "datasets/benchmarks/__init__.py: BENCHMARKS",
    "How is a new encoder added?": "baselines/__init__.py: BASELINES",
    "How is a new format of weights added?": "pretrained/importing.py: import_weights",
    "How does somebody's network become an encoder?": "extraction/network_encoder.py: load_network",
    "Where does somebody's graph run?": "graphs/graph_process.py: GraphProcess",
    "Which weights can be asked for by name?": "weights/published_files.py: PUBLISHED",
    "Where do fetched weights lie?": "weights/weights_cache.py: cache_folder",
    "In which precision is a model computed, and why?": "extraction/precision.py: PrecisionPolicy",
    "What computes embeddings fast?": "models/fast_encoder.py: FastEncoder",
    "What is kept of an extraction that is killed?": "extraction/committed_clips.py: CommittedClips",
    "What makes a table of many files?": "retrieval/table_folder.py: write_index",
    "How does an evaluation count file by file?": "evaluation/shard_counting.py: count_shard",
    "What of an evaluation is done by other processes?": "evaluation/block_jobs.py: do_job",
    "How is a new setting added?": "recipes/__init__.py: RECIPES",
    "How is a new page added?": "pages/page.py: write_page",
    "How is a new command added?": "cli/__init__.py: GROUPS",
    "Where is a model exported?": "extraction/exporting.py: export_embedder",
    "Where is a drone's subtitle file read?": "telemetry/dji_subtitles.py: read_subtitle_file",
    "Where does a person in a drone's picture stand?": "telemetry/ground_position.py: ground_point",
    "Where is TCLNet?": "baselines/tclnet.py: Tclnet",
    "Which tables has a case?": "cases/schema.py: TRACKLETS",
    "Who is who in a case?": "cases/deciding/standing.py: read_standing",
    "Who may do what in a case?": "cases/people.py: RIGHTS",
    "What becomes of a job whose worker is killed?": "cases/work/leases.py: take_job",
    "What makes a search in a case fast?": "cases/search/search_cache.py: SearchCache",
    "Who may use a web page?": "service/access.py: GuardedRoute",
    "How is a new web page added?": "service/browsing/case_routes.py: ROUTES",
    "What is true in the simulated world?": "simulation/scene_truth.py: read_scene_truth",
    "How good is a build, against that truth?": "simulation/construction_scores.py: evaluate_construction",
}


@pytest.mark.parametrize("question", ANSWERS)
def test_the_answer_stands_where_it_is_looked_for(question):
    file, _, name = ANSWERS[question].partition(": ")
    names = set()
    for node in ast.parse((PACKAGE / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert name in names
