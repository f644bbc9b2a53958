"""vbjax: loops on JAX in float32, Heun's scheme with the coupling in both stages.

The library leaves the coupling and the drawing of noise to its user; both are part of the run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import SPEED, asked, connectome, report

import jax
import jax.numpy as jnp
import numpy as np
import vbjax as vb

WEIGHTS, LENGTHS = (jnp.asarray(a, jnp.float32) for a in connectome())
N = len(WEIGHTS)
MPR = vb.mpr_default_theta._replace(eta=-4.6, J=14.5, Delta=0.7)


def montbrio_pazo_roxin(state, strength):
    return vb.mpr_dfun(state, strength * jnp.stack([WEIGHTS @ state[0], jnp.zeros(N)]), MPR)


def jansen_rit(state, strength):
    sent = 0.005 / (1.0 + jnp.exp(0.56 * (6.0 - (state[1] - state[2]))))
    return vb.jr_dfun(state, strength * (WEIGHTS @ sent), vb.jr_default_theta)


def epileptor(state, strength):
    theta = vb.bvep_default_theta._replace(x0=-2.5)
    difference = WEIGHTS @ state[0] - WEIGHTS.sum(axis=1) * state[0]
    return vb.bvep_dfun(state, strength * difference, theta)


MODELS = {
    "montbrio_pazo_roxin": (montbrio_pazo_roxin, [0.1, -2.0], [0.01, 0.02], vb.mpr_r_positive),
    "jansen_rit": (jansen_rit, [0.0, 5.0, 5.0, 0.0, 0.0, 0.0], [0, 0, 0, 0, 1e-4, 0], None),
    "epileptor_2d": (epileptor, [-2.0, 3.5], [0.01, 0.01], None),
}


def prepared(model, steps, dt, bold):
    """Function of (strength, key) that runs one simulation."""
    dfun, start, sigma, adhoc = MODELS[model]
    noise = jnp.float32(sigma)[:, None]
    _, loop = vb.make_sde(dt=dt, dfun=dfun, gfun=lambda x, p: noise, adhoc=adhoc)
    first = jnp.broadcast_to(jnp.float32(start)[:, None], (len(start), N))
    # A unit of this model's time is 10 ms, as VBI has it.
    volume, hemodynamics, sample = vb.make_bold((N,), dt / 100.0, vb.bold_default_theta)

    def run(strength, key):
        course = loop(first, jax.random.normal(key, (steps, len(start), N)), strength)
        if not bold:
            return course[::100]

        def of_volume(buffer, signal):
            buffer, _ = jax.lax.scan(lambda b, x: (hemodynamics(b, x), None), buffer, signal)
            return sample(buffer)

        return jax.lax.scan(of_volume, volume, course[:, 0].reshape(-1, 1000, N))[1]

    return run


def single(model, steps, dt, bold=False):
    run = jax.jit(prepared(model, steps, dt, bold))

    def work():
        return np.asarray(run(0.1, jax.random.key(1)))

    note = "BOLD every step" if bold else ""
    report(work, steps=steps, scheme="heun", dtype="float32", note=note)


def batch(model, steps, dt, draws):
    run = jax.jit(jax.vmap(prepared(model, steps, dt, True)))
    strengths = jnp.linspace(0.05, 0.15, draws)

    def work():
        return np.asarray(run(strengths, jax.random.split(jax.random.key(1), draws)))

    note = f"BOLD every step; jax.vmap over {draws} draws"
    report(work, steps=steps, draws=draws, scheme="heun", dtype="float32", note=note)


def delayed(steps, dt):
    """Jansen-Rit with delays; history and run share one buffer."""
    helper = vb.make_delay_helper(WEIGHTS, LENGTHS, dt=dt, v_c=SPEED)
    _, start, sigma, _ = MODELS["jansen_rit"]
    noise = jnp.float32(sigma)[:, None]

    def dfun(past, state, t, strength):
        total = vb.delay_apply(helper, t, past[:, 1:3])
        sent = 0.005 / (1.0 + jnp.exp(0.56 * (6.0 - (total[0] - total[1]))))
        return vb.jr_dfun(state, strength * sent, vb.jr_default_theta)

    lag = int(helper.max_lag)
    _, loop = vb.make_sdde(dt, lag, dfun, lambda x, p: noise)
    first = jnp.broadcast_to(jnp.float32(start)[:, None], (len(start), N))

    @jax.jit
    def run(strength, key):
        draws = jax.random.normal(key, (steps, len(start), N))
        past = jnp.broadcast_to(first, (lag + 1, *first.shape))
        return loop(jnp.concatenate([past, draws]), strength)[1]

    def work():
        return np.asarray(run(0.1, jax.random.key(1)))

    report(work, steps=steps, scheme="heun", dtype="float32", note="rate falls with the length")


CASES = {
    ("jansen_rit", "JAX"): lambda k: single("jansen_rit", 20_000 // k, 0.5),
    ("jansen_rit_delays", "JAX"): lambda k: delayed(2_000 // k, 0.5),
    ("montbrio_pazo_roxin", "JAX"): lambda k: single("montbrio_pazo_roxin", 50_000 // k, 0.01),
    ("montbrio_pazo_roxin_bold", "JAX"): lambda k: single(
        "montbrio_pazo_roxin", 50_000 // k, 0.01, True
    ),
    ("montbrio_pazo_roxin_bold_sweep", "JAX"): lambda k: batch(
        "montbrio_pazo_roxin", 10_000 // k, 0.01, 64
    ),
    ("epileptor_2d", "JAX"): lambda k: single("epileptor_2d", 100_000 // k, 0.01),
}
run, divisor = asked(CASES)
run(divisor)
