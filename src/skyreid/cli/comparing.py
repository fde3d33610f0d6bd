"""`skyreid compare`: is one result better than another?"""

from skyreid.cli.terminal import File, show_result


def compare(a: File, b: File, *, json: bool = False) -> None:
    """Compare two results on the same queries: difference, interval, p-value, who got better and who worse.

    Args:
        a: result file of one model.
        b: result file of the other; unlike protocols are refused.
        json: print JSON.
    """
    from skyreid.evaluation.results.paired_difference import compare_results
    from skyreid.evaluation.results.result_file import read_result

    difference = compare_results(read_result(a), read_result(b))
    show_result(difference.lines(), difference.to_json(), json=json)
