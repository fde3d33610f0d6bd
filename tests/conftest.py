"""Where the tests find what is not in the repository."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import settings

# One thread, here and in the processes that tests start: a sum over two threads rounds otherwise than over
# one, and the comparisons between one process and two are as tight as that.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# A busy machine is no failure: timings belong into benchmarks/.
settings.register_profile("skyreid", deadline=None)
settings.load_profile("skyreid")


THOROUGH = """
    baselines/test_ap3d
    baselines/test_bicnet_tks
    baselines/test_grl
    baselines/test_pit
    baselines/test_resnet50_frames
    baselines/test_sinet
    baselines/test_stmn
    baselines/test_tclnet
    building/detection/test_detected_people
    building/detection/test_detector
    building/detection/test_tiles
    building/linking/test_event_log
    building/motion/test_moving_camera
    building/motion/test_static_camera
    building/test_build
    building/test_build_again
    building/test_scenes
    building/test_unusable_sources
    building/video/test_damaged_films
    building/video/test_decode
    building/video/test_picture_folder
    cases/test_adapting
    cases/test_agreement
    cases/test_crash
    cases/test_disk_full
    cases/test_exporting
    cases/test_files_in_a_store
    cases/test_importing
    cases/test_jobs
    cases/test_migrating
    cases/test_people
    cases/test_re_embedding
    cases/test_retention
    cases/test_search_cache
    cases/test_standing
    cases/test_uploads_in_a_store
    cases/test_worker
    cli/test_evaluate
    cli/test_footage
    cli/test_linking
    cli/test_reproduce
    cli/test_terminal
    clips/test_frame_bank
    evaluation/test_block_jobs
    evaluation/test_shard_counting
    experiments/test_any_checkpoint
    experiments/test_checkpoint_evaluation
    experiments/test_method_comparison
    extraction/test_committed_clips
    extraction/test_exporting
    extraction/test_loading
    extraction/test_loading_while_cutting
    extraction/test_network_encoder
    files/test_file_kinds
    files/test_object_store
    graphs/test_onnx_file
    pages/report/test_in_a_browser
    pretrained/test_imagenet
    processes/test_distributed
    processes/test_ray_cluster
    reference/baselines/test_baselines
    service/test_access
    service/test_addresses
    service/test_admin
    service/test_annotate
    service/test_asking
    service/test_asking_with_pictures
    service/test_clock
    service/test_crash_together
    service/test_end_to_end
    service/test_every_page
    service/test_exports
    service/test_faces
    service/test_files_in_a_store
    service/test_footage
    service/test_identities
    service/test_in_a_browser
    service/test_jobs
    service/test_keeping
    service/test_login
    service/test_originals
    service/test_pages
    service/test_refining
    service/test_runs
    service/test_sessions
    service/test_several_servers
    service/test_timeline
    service/test_tls
    simulation/rendering/kernels/test_hits
    simulation/rendering/kernels/test_shading
    simulation/rendering/test_ray_caster
    simulation/scenes/test_scenes
    simulation/sessions/test_session
    simulation/sessions/test_setting
    simulation/sessions/test_shooting
    simulation/sessions/test_shooting_people
    simulation/sessions/test_stills
    simulation/sessions/test_walk_planning
    simulation/test_captions
    simulation/test_crop_benchmark
    simulation/test_difficulty
    simulation/test_filming
    simulation/test_pretraining
    test_cli
    test_finding
    test_foreign_systems
    test_readme
    test_sweep
    test_tutorials
    training/test_baseline_training
    training/test_memory
    training/test_run_folder
    training/test_two_stage
""".split()
"""Modules in which a test takes seconds, since it trains, films, draws or starts processes. `pytest` alone leaves them
out; `pytest --thorough` has them, and `pytest FILE` whatever it names."""
_THOROUGH_FILES = {Path(__file__).parent / f"{name}.py" for name in THOROUGH}
_IS_FAST = "SKYREID_FAST_TESTS"
"""Tells the processes of pytest-xdist what the first one was asked for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the whole suite be asked for."""
    parser.addoption("--thorough", action="store_true", help="also run the modules in which tests take seconds")


def pytest_configure(config: pytest.Config) -> None:
    """Find out whether the fast suite is meant (nothing was named, and nothing said), and begin without weights.

    Weights that somebody has fetched would be taken where nobody names any; SKYREID_CACHE names them for the tests that
    want them.
    """
    if not hasattr(config, "workerinput"):
        is_named = config.args_source is pytest.Config.ArgsSource.ARGS
        os.environ[_IS_FAST] = "" if is_named or config.getoption("--thorough") else "yes"
        if "SKYREID_CACHE" not in os.environ:
            no_weights = TemporaryDirectory(prefix="skyreid-no-weights-")
            config.add_cleanup(no_weights.cleanup)
            os.environ["SKYREID_CACHE"] = no_weights.name


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave those modules out of the fast suite; they are not even imported."""
    return True if os.environ.get(_IS_FAST) and collection_path in _THOROUGH_FILES else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those modules, or one process would still be at a long one when the others have ended."""
    items.sort(key=lambda item: item.path not in _THOROUGH_FILES)


def _folder_from_environment(variable: str) -> Path:
    folder = os.environ.get(variable)
    if folder is None:
        pytest.skip(f"{variable} is not set")
    if not Path(folder).is_dir():
        pytest.fail(f"{variable} must name a folder; got {folder!r}")
    return Path(folder)


@pytest.fixture(scope="session")
def footage_dir() -> Path:
    """Real video, under licences that let us test with it but not ship it."""
    return _folder_from_environment("SKYREID_FOOTAGE")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Published weights, in the places of our cache."""
    return _folder_from_environment("SKYREID_MODELS")


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The large stored outputs of the authors' program; the small ones are in tests/reference."""
    return _folder_from_environment("SKYREID_REFERENCE")
