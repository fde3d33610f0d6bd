"""Training runs of a folder that the server was started with: all of them side by side, and one with its curves."""

from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import HTTPException, Query, Response
from fastapi.responses import JSONResponse

from skyreid.evaluation.results.result_file import EvaluationResult
from skyreid.experiments.run_records import RunRecord, find_run, list_runs, read_curves, read_evaluations
from skyreid.files.strict_json import Json
from skyreid.pages.report.cmc_curve import CmcCurve, cmc_svg
from skyreid.pages.report.loss_curve import loss_chart
from skyreid.pages.report.section import Chart, charts_html
from skyreid.service.access import At, Everyone, Visit
from skyreid.service.web_page import web_page

Run = Annotated[str, Query(max_length=500, description="name of a run of the list; empty = all of them")]
_RANKS = 20


def runs_page(visit: At, run: Run = "") -> Response:
    """All runs, or one of them."""
    if not run:
        folder = visit.cases.runs
        return web_page(
            "runs.html", visit, at="runs", is_simulated=False, is_served=folder is not None, runs=_all(folder)
        )
    path, record = _one(visit, run)
    curves, no_curve = read_curves(path)
    results, problems = read_evaluations(path)
    charts = [loss_chart(f"Loss of stage {one.stage}", one.steps, one.losses) for one in curves]
    charts += [_cmc(one) for one in results if one.card.ranker == "cosine" and len(one.per_query)]
    return web_page(
        "run.html",
        visit,
        at="runs",
        is_simulated=bool(results) and all(one.card.simulated for one in results),
        run=record,
        no_curve=no_curve,
        charts=charts_html(charts) if charts else None,
        results=results,
        problems=[*record.problems, *problems],
    )


def api_runs(visit: At, run: Run = "") -> JSONResponse:
    """List the runs, or describe one with its loss and its results."""
    if not run:
        return JSONResponse([one.to_json() for one in _all(visit.cases.runs)])
    path, record = _one(visit, run)
    curves, _ = read_curves(path)
    results, problems = read_evaluations(path)
    return JSONResponse(
        {
            **record.to_json(),
            "problems": [*record.problems, *problems],
            "loss": [{"stage": one.stage, "steps": list(one.steps), "losses": list(one.losses)} for one in curves],
            "results": [_result_json(one) for one in results],
        }
    )


def _all(folder: Path | None) -> list[RunRecord]:
    return [] if folder is None else list_runs(folder)


def _one(visit: Visit, name: str) -> tuple[Path, RunRecord]:
    """Find a run among those that are there: what an address says is never opened."""
    found = None if visit.cases.runs is None else find_run(visit.cases.runs, name)
    if found is None:
        raise HTTPException(404, "there is no such run")
    return found


def _result_json(result: EvaluationResult) -> dict[str, Json]:
    return {
        "protocol": result.card.protocol,
        "ranker": result.card.ranker,
        "sampling": result.card.sampling,
        "seed": result.card.seed,
        "commit": result.card.commit,
        "simulated": result.card.simulated,
        "queries": result.queries,
        "scores": {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in result.scores.items()},
    }


def _cmc(result: EvaluationResult) -> Chart:
    first = result.per_query.first_places
    cmc = np.array([np.count_nonzero(first < k) / len(first) for k in range(1, _RANKS + 1)])
    interval = result.scores["rank-1"]
    title = f"{result.card.protocol}, {result.card.sampling}"
    curve = CmcCurve(label=title, style="after", cmc=cmc, rank_1_interval=(interval.low, interval.high))
    return Chart(
        title=title, svg=cmc_svg(title, [curve]), keys=(), note="The share of queries found among the first k."
    )


ROUTES = (
    ("GET", "/runs", runs_page, Everyone.LOGGED_IN),
    ("GET", "/api/runs", api_runs, Everyone.LOGGED_IN),
)
