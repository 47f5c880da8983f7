# %% [markdown]
# # The weekly look at every running experiment
# Reads the service over HTTP only; open it in any editor that knows `# %%` cells, or run it as a script:
# `RESONATE_URL=http://127.0.0.1:8000 RESONATE_SECRET_KEY=sk_… python examples/notebook/weekly.py`
# It needs httpx and pandas.

# %%
import io
import os

import httpx
import pandas as pd

service = httpx.Client(
    base_url=os.environ.get("RESONATE_URL", "http://127.0.0.1:8000"),
    headers={"Authorization": f"Bearer {os.environ['RESONATE_SECRET_KEY']}"},
    timeout=60,
)


def table(path: str, **query: str) -> pd.DataFrame:
    """One of the service's flat tables, as Parquet, so that numbers keep all their digits."""
    answer = service.get(path, params={"format": "parquet", **query})
    answer.raise_for_status()
    return pd.read_parquet(io.BytesIO(answer.content))


# %% [markdown]
# ## What is running, and what each experiment advises
# One row per comparison. `p` and the interval are those of the experiment's own method, the only one that decides.

# %%
running = table("/v1/results")
goals = running[running["role"] == "goal"]
print(
    goals[
        ["experiment", "metric", "variant", "lift", "ci_low", "ci_high", "p_adjusted", "verdict", "action"]
    ].to_string()
)

# %% [markdown]
# ## One experiment, every method side by side

# %%
experiment = os.environ.get("NOTEBOOK_EXPERIMENT", goals["experiment"].iloc[0])
methods = table(f"/v1/experiments/{experiment}/results")
compared = methods[methods["method"].notna() & methods["dimension"].isna()]
print(compared[["metric", "variant", "method", "decides", "lift", "ci_low", "ci_high", "p"]].to_string())

# %% [markdown]
# ## The same test, run again from one row per unit
# Nothing has to be believed: the difference of means from `…/units` is the readout's own.

# %%
units = table(f"/v1/experiments/{experiment}/units")
metric = goals[goals["experiment"] == experiment]["metric"].iloc[0]
means = units.groupby("variant")[metric].agg(["count", "mean", "var"])
print(means)

# %%
readout = service.get(f"/v1/experiments/{experiment}/results").raise_for_status().json()
decision, imbalance = readout["decision"], readout["health"]["srm"]["p"]
print(f"SRM p {imbalance:.3f}; {decision['action']}: {'; '.join(decision['because'])}")
