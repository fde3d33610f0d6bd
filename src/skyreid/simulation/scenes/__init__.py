"""The nine places where people are filmed. Source: paper section 3.1 names six; market, park, car park are ours."""

from collections.abc import Callable

import numpy as np

from skyreid.simulation.scenes.greens import campus, library, park
from skyreid.simulation.scenes.site import Scene
from skyreid.simulation.scenes.squares import market, tourist_site
from skyreid.simulation.scenes.streets import bus_stop, car_park, crossroads, subway_entrance

SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "campus": campus,
    "subway-entrance": subway_entrance,
    "crossroads": crossroads,
    "bus-stop": bus_stop,
    "tourist-site": tourist_site,
    "library": library,
    "park": park,
    "market": market,
    "car-park": car_park,
}

__all__ = ["SCENES", "Scene"]
