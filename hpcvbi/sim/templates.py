"""Parts of the lanes kernels that are the same for every model; `sim.source` fills them in."""

HEAD = """\
W = {width}


def run(
    quads, burn_in, dt, nodes, ring, key, X, H, C, Z, P, Q, strength, weights, base, taps, rows,
    {watched}
):
    k0, k1 = load(key, 0, W), load(key, W, W)
    k2, k3 = load(key, 2 * W, W), load(key, 3 * W, W)
    zero = k0 ^ k0
    nil = load(X, 0, W)
    nil = where(nil < nil, nil, 0.0)
"""

DENSE_TOTALS = """\
            for block in range((nodes + {targets} - 1) // {targets}):
                {zeros}
                w = block * nodes * {targets}
                for source in range(nodes):
                    h = load(H, ({channel} * nodes + source) * W, W)
                    {sums}
                    w += {targets}
                o = ({channel} * rows[0] + block * {targets}) * W
                {stores}
"""

BOLD_STEP = """\
    z = load(A{m}, i * W, W) * portion{m}
    store(A{m}, i * W, nil)
    s, f = load(B{m}, i * W, W), load(B{m}, (nodes + i) * W, W)
    v, q = load(B{m}, (2 * nodes + i) * W, W), load(B{m}, (3 * nodes + i) * W, W)
    ds, df, dv, dq = balloon(s, f, v, q, z, {dynamics})
    f = fma(h{m}, df, f)
    f = where(f < LEAST_INFLOW, LEAST_INFLOW, f)
    v, q = fma(h{m}, dv, v), fma(h{m}, dq, q)
    store(B{m}, i * W, fma(h{m}, ds, s))
    store(B{m}, (nodes + i) * W, f)
    store(B{m}, (2 * nodes + i) * W, v)
    store(B{m}, (3 * nodes + i) * W, q)
    if volume{m}_{s} >= 0:
        store(O{m}, (volume{m}_{s} * nodes + i) * W, bold_signal(v, q, {signal}))
"""

FC_UPDATE = """\
    while done{m} < seen{of}:
        count = done{m} + 1
        for i in range(nodes):
            y = load(O{of}, (done{m} * nodes + i) * W, W)
            mean = load(A{m}, i * W, W)
            old = y - mean
            mean = mean + old / count
            store(A{m}, i * W, mean)
            store(D{m}, i * W, old)
            store(E{m}, i * W, y - mean)
        for i in range(nodes):
            e = load(E{m}, i * W, W)
            for j in range(i + 1):
                o = (i * (i + 1) // 2 + j) * W
                store(O{m}, o, fma(load(D{m}, j * W, W), e, load(O{m}, o, W)))
        done{m} += 1
"""
