"""GPTQ as in the paper (Frantar et al. 2022, algorithm 1): inverse of the damped moments, Cholesky, float64.

With the order of columns given, and with scales that are given or searched when a group's first column is reached.
"""

import numpy as np
from golden import encoded, write

SHARES = [1 - at * 0.025 for at in range(21)]


def symmetric_scale(low, high, levels):
    """onnxruntime's compute_scale_zp_blocked, symmetric: the range on both sides of 0 over all codes."""
    width = np.float32(2 * max(-np.float32(low), np.float32(high)))
    scale = np.float32(width / np.float32(levels))
    return np.float32(1) if scale < np.finfo(np.float32).tiny else scale


def signed_scale(low, high):
    """The value furthest from 0 over -8, as the signed scale of int4 is."""
    if low == -high:
        return symmetric_scale(low, high, 15)
    return np.float32(np.float32(low if -low > high else high) / np.float32(-8))


def rounded(weights, scale, qmin, qmax):
    codes = np.clip(np.rint(weights / np.float64(scale)), qmin, qmax)
    return codes, np.float64(np.float32(codes) * np.float32(scale))


def solved(columns, upper, scale, qmin, qmax):
    """One row's columns by one scale: codes, errors by the diagonal, and their squares added up."""
    columns = columns.copy()
    codes, errors = np.zeros(len(columns)), np.zeros(len(columns))
    for j in range(len(columns)):
        codes[j], value = rounded(columns[j], scale, qmin, qmax)
        errors[j] = (columns[j] - value) / upper[j, j]
        columns[j:] -= errors[j] * upper[j, j:]
    return codes, errors, (errors**2).sum()


def gptq(weights, moments, order, block, bits, scales, signed):
    """Codes by row and column, and the scales by row and block; those given are kept, None searches them."""
    qmin, qmax = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    levels = qmax - qmin if scales is None else None
    damped = moments[np.ix_(order, order)].astype(np.float64)
    damped[np.diag_indices_from(damped)] += 0.01 * np.diag(damped).mean()
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    rows, columns = weights.shape
    left = weights[:, order].astype(np.float64)
    codes = np.zeros((rows, columns), np.int8)
    found = np.zeros((rows, columns // block), np.float32)
    for start in range(0, columns, block):
        part = slice(start, start + block)
        own = upper[part, part]
        group = order[start] // block
        for row in range(rows):
            if scales is None:
                low, high = min(0, left[row, part].min()), max(0, left[row, part].max())
                tried = [symmetric_scale(low * share, high * share, levels) for share in SHARES]
                tried += [signed_scale(low * share, high * share) for share in SHARES if signed]
                costs = [solved(left[row, part], own, scale, qmin, qmax)[2] for scale in tried]
                scale = tried[int(np.argmin(costs))]
            else:
                scale = scales[row, group]
            found[row, group] = scale
            code, errors, _ = solved(left[row, part], own, scale, qmin, qmax)
            codes[row, order[part]] = code
            left[row, part.stop :] -= errors @ upper[part, part.stop :]
    error = weights - np.float64(np.float32(codes) * found.repeat(block, 1))
    return codes, found, float(np.einsum("ri,ij,rj->", error, moments.astype(np.float64), error))


def cases():
    rng = np.random.default_rng(20)
    for name, rows, columns, block, bits, search in [
        ("int4 in blocks, scales searched", 6, 64, 16, 4, True),
        ("int4 in blocks, scales given", 6, 64, 16, 4, False),
        ("int8 per channel, scales given", 5, 40, 40, 8, False),
        ("int4 in blocks of inputs that are one another's copies", 4, 48, 16, 4, True),
        ("int4 in blocks, scales of either sign searched", 6, 64, 16, 4, True),
    ]:
        weights = rng.standard_normal((rows, columns)).astype(np.float32)
        mixed = rng.standard_normal((columns, columns)) * (rng.uniform(0.1, 1.5, columns))
        inputs = rng.standard_normal((96, columns)) @ mixed
        if "copies" in name:
            inputs[:, 1::4] = inputs[:, 0::4]
        moments = (inputs.T @ inputs / len(inputs)).astype(np.float32)
        parts = weights.reshape(rows, -1, block)
        # onnxruntime leaves -128 out of the span of symmetric int8.
        levels = 15 if bits == 4 else 254
        given = np.vectorize(lambda low, high: symmetric_scale(low, high, levels))(parts.min(2), parts.max(2))
        signed = "either sign" in name
        power = np.diag(moments)
        groups = np.arange(columns).reshape(-1, block)
        falling = sorted(groups, key=lambda group: -power[group].astype(np.float64).mean())
        orders = [np.arange(columns), np.concatenate([g[np.argsort(-power[g], kind="stable")] for g in falling])]
        results = [gptq(weights, moments, order, block, bits, None if search else given, signed) for order in orders]
        codes, scales, error = min(results, key=lambda result: result[2])
        yield {
            **{"name": name, "rows": rows, "columns": columns, "block": block, "bits": bits, "search": search, "signed": signed},
            **{"weights": encoded(weights), "moments": encoded(moments)},
            **{"codes": encoded(codes), "scales": encoded(scales), "error": error},
        }


def main():
    write("gptq.json", f"numpy {np.__version__}", {"cases": list(cases())})


if __name__ == "__main__":
    main()
