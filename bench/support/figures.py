"""How every benchmark in Python reports: as bench/support/report.h does for those in C++."""

import json


def report(figures, as_json):
    """Prints figures as they come: (name, value, unit, floor, note), less being better; a floor of 0 is none."""
    if not as_json:
        print(f"{'name':<26} {'value':>12} {'unit':<8} {'floor':>12} {'ratio':>7}", flush=True)
    for name, value, unit, floor, note in figures:
        ratio = floor / value if value else 0
        if as_json:
            print(json.dumps({"name": name, "value": round(value, 4), "unit": unit, "floor": round(floor, 4), "ratio": round(ratio, 4)}),
                  flush=True)
        else:
            against = f"{floor:>12.3f} {ratio:>7.3f}" if floor else f"{'-':>12} {'-':>7}"
            print(f"{name:<26} {value:>12.3f} {unit:<8} {against}  {note}", flush=True)
