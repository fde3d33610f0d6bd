"""The paper's Table 2: its methods on one benchmark, one data layer and one protocol."""
