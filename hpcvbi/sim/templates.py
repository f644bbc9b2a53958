"""Parts of the kernels that are the same for every model; `sim.source` fills them in."""

HEAD = """\
W = {width}
LEVEL = {level}


def run(
    steps, burn_in, dt, nodes, ring, window, key, X, H, C, Z, P, Q, U, V,
    strength, weights, base, taps, rows, {watched}
):
    padded = entry(rows, 0)
    k0, k1 = load(key, 0, W), load(key, W, W)
    k2, k3 = load(key, 2 * W, W), load(key, 3 * W, W)
    zero = k0 ^ k0
    nil = load(X, 0, W)
    nil = where(nil < nil, nil, 0.0)
    not_a_number = (nil + 0.0) / nil
    half, most = (nil + dt) * 0.5, (nil + dt) * 0.75
    third, sixth = (nil + dt) / 3.0, (nil + dt) / 6.0
"""

DENSE_TOTALS = """\
            for block in each((nodes + {targets} - 1) // {targets}):
                {zeros}
                w = block * nodes * {targets}
                for source in range(nodes):
                    h = load(H, ({channel} * nodes + source) * W, W)
                    {sums}
                    w += {targets}
                o = ({channel} * padded + block * {targets}) * W
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
        store(O{m}, (volume{m}_{s} % slots{m} * nodes + i) * W, bold_signal(v, q, {signal}))
"""

FC_UPDATE = """\
    while done{m} < seen{of}:
        count = real(done{m} + 1)
        for i in each(nodes):
            y = load(O{of}, (done{m} % slots{of} * nodes + i) * W, W)
            mean = load(A{m}, i * W, W)
            old = y - mean
            mean = mean + old / count
            store(A{m}, i * W, mean)
            store(D{m}, i * W, old)
            store(E{m}, i * W, y - mean)
        barrier()
        for i in each(nodes):
            e = load(E{m}, i * W, W)
            for j in range(i + 1):
                o = (i * (i + 1) // 2 + j) * W
                store(O{m}, o, fma(load(D{m}, j * W, W), e, load(O{m}, o, W)))
        barrier()
        done{m} += 1
"""

MOMENTS_UPDATE = """\
    while done{m} < seen{of}:
        count = real(done{m} + 1)
        for i in each(nodes):
            y = load(O{of}, (done{m} % slots{of} * nodes + i) * W, W)
            mean = load(O{m}, i * W, W)
            old = y - mean
            mean = mean + old / count
            store(O{m}, i * W, mean)
            o = (nodes + i) * W
            store(O{m}, o, fma(old, y - mean, load(O{m}, o, W)))
        done{m} += 1
"""

# Two segments overlap by half. A segment's values are taken relative to its first one, which the
# removal of its mean makes irrelevant, so that a large mean costs no precision.
SPECTRUM_UPDATE = """\
    while done{m} < seen{of}:
        for lag in range(2):
            n = done{m} - lag * (length{m} // 2)
            if n >= 0:
                n = n % length{m}
                for i in each(nodes):
                    y = load(O{of}, (done{m} % slots{of} * nodes + i) * W, W)
                    o = (2 * lag * nodes + i) * W
                    if n == 0:
                        store(A{m}, o, y)
                        store(A{m}, o + nodes * W, nil)
                    y = y - load(A{m}, o, W)
                    total = load(A{m}, o + nodes * W, W) + y
                    store(A{m}, o + nodes * W, total)
                    mean = total / real(length{m})
                    for b in range(bins{m}):
                        o = ((lag * bins{m} + b) * 2 * nodes + i) * W
                        re, im = load(D{m}, o, W), load(D{m}, o + nodes * W, W)
                        if n == 0:
                            re, im = nil, nil
                        re = fma(y, spread(T{m}, 2 * b * length{m} + n, W), re)
                        im = fma(y, spread(T{m}, (2 * b + 1) * length{m} + n, W), im)
                        store(D{m}, o, re)
                        store(D{m}, o + nodes * W, im)
                        if n == length{m} - 1:
                            re = re - mean * spread(E{m}, 2 * b, W)
                            im = im - mean * spread(E{m}, 2 * b + 1, W)
                            o = (b * nodes + i) * W
                            store(O{m}, o, fma(re, re, fma(im, im, load(O{m}, o, W))))
        done{m} += 1
"""
