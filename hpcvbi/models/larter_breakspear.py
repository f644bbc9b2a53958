"""Larter-Breakspear: pyramidal cells with ion channels, and inhibitory interneurons.

    V̇ = t (−(g_Ca + r_NMDA a_ee q) m_Ca (V − V_Ca) − (g_Na m_Na + a_ee q) (V − V_Na)
           − g_K W (V − V_K) − g_L (V − V_L) − a_ie Z Q_Z + a_ne I_ext)
    Ẇ = t φ (m_K − W) / τ_K                           W  open potassium channels       [1]
    Ż = t b (a_ni I_ext + a_ei V Q_V)                 Z  inhibitory potential          [1]
    q = (1 − C) Q_V + C c                             excitatory firing, own and of others
    m_X = ½ (1 + tanh((V − T_X) / δ_X))               X = Ca, Na, K
    Q_V = ½ Q_Vmax (1 + tanh((V − V_T) / δ_V)),  Q_Z likewise                          [kHz]

Breakspear, Terry & Friston (2003) doi:10.1088/0954-898X_14_4_305; the default is chaotic, with the
numbers of Honey et al. (2007) doi:10.1073/pnas.0701519104 and Alstott et al. (2009)
doi:10.1371/journal.pcbi.1000408 (The Virtual Brain: g_Ca 1.1, a_ee .4, δ_Z .7, which is periodic).
V is dimensionless. A region sends its firing rate Q_V (`QV`), so that linear coupling gives the
equations of the papers; where V is sent instead, the coupling should be sigmoidal.
"""

from numpy import tanh

from hpcvbi.brain.model import Model, Output, State
from hpcvbi.core.prior import LogUniform, Uniform
from hpcvbi.core.space import Param


def opened(V, threshold, width):
    """Share of channels or cells that the potential `V` has opened."""
    return 0.5 + 0.5 * tanh((V - threshold) * (1.0 / width))


def dfun(
    V,
    W,
    Z,
    c,
    gCa,
    gK,
    gL,
    gNa,
    phi,
    TK,
    TCa,
    TNa,
    VCa,
    VK,
    VL,
    VNa,
    d_K,
    tau_K,
    d_Na,
    d_Ca,
    aei,
    aie,
    b,
    C,
    ane,
    ani,
    aee,
    Iext,
    rNMDA,
    VT,
    d_V,
    ZT,
    d_Z,
    QV_max,
    QZ_max,
    t_scale,
):
    """Time derivatives of all variables [1/ms]."""
    QV = firing(V, VT, d_V, QV_max)
    QZ = QZ_max * opened(Z, ZT, d_Z)
    excitation = aee * ((1.0 - C) * QV + C * c)
    calcium = (gCa + rNMDA * excitation) * opened(V, TCa, d_Ca) * (V - VCa)
    sodium = (gNa * opened(V, TNa, d_Na) + excitation) * (V - VNa)
    potassium = gK * W * (V - VK)
    leak = gL * (V - VL)
    return (
        t_scale * (ane * Iext - calcium - sodium - potassium - leak - aie * Z * QZ),
        (t_scale * phi * (1.0 / tau_K)) * (opened(V, TK, d_K) - W),
        (t_scale * b) * (ani * Iext + aei * V * QV),
    )


def firing(V, VT, d_V, QV_max):
    """Firing rate of the pyramidal cells [kHz]."""
    return QV_max * opened(V, VT, d_V)


larter_breakspear = Model(
    name="larter_breakspear",
    dfun=dfun,
    state=(
        # Without firing nothing stops Z from growing and V from falling, steadily and for ever.
        State("V", "1", -0.2, low=-10.0, high=10.0, outside="diverge", start=(-0.5, 0.3)),
        State("W", "1", init=0.2, start=(0.0, 0.6)),
        State("Z", "1", 0.0, low=-10.0, high=10.0, outside="diverge", start=(-0.2, 0.2)),
    ),
    inputs=("c",),
    sends=("QV",),
    time_constant=1.0,
    outputs=(Output("QV", "kHz", firing, "firing rate of the pyramidal cells"),),
    params=(
        Param("gCa", 1.0, "1", 0.0, 100.0, Uniform(0.9, 1.5), "calcium conductance"),
        Param("gK", 2.0, "1", 0.0, 100.0, Uniform(1.5, 2.5), "potassium conductance"),
        Param("gL", 0.5, "1", 0.0, 100.0, Uniform(0.4, 0.6), "leak conductance"),
        Param("gNa", 6.7, "1", 0.0, 100.0, Uniform(0.0, 10.0), "sodium conductance"),
        Param("phi", 0.7, "1", 0.0, 10.0, Uniform(0.3, 0.9), "temperature factor"),
        Param("TK", 0.0, "1", -10.0, 10.0, Uniform(-0.1, 0.1), "threshold of potassium"),
        Param("TCa", -0.01, "1", -10.0, 10.0, Uniform(-0.02, 0.0), "threshold of calcium"),
        Param("TNa", 0.3, "1", -10.0, 10.0, Uniform(0.25, 0.35), "threshold of sodium"),
        Param("VCa", 1.0, "1", -10.0, 10.0, Uniform(0.9, 1.1), "calcium potential"),
        Param("VK", -0.7, "1", -10.0, 10.0, Uniform(-0.8, -0.6), "potassium potential"),
        Param("VL", -0.5, "1", -10.0, 10.0, Uniform(-0.7, -0.4), "leak potential"),
        Param("VNa", 0.53, "1", -10.0, 10.0, Uniform(0.51, 0.55), "sodium potential"),
        Param("d_K", 0.3, "1", 1e-3, 10.0, Uniform(0.1, 0.4), "spread of TK"),
        Param("tau_K", 1.0, "ms", 1e-3, 1000.0, Uniform(0.5, 10.0), "relaxation of potassium"),
        Param("d_Na", 0.15, "1", 1e-3, 10.0, Uniform(0.1, 0.2), "spread of TNa"),
        Param("d_Ca", 0.15, "1", 1e-3, 10.0, Uniform(0.1, 0.2), "spread of TCa"),
        Param("aei", 2.0, "1", 0.0, 100.0, Uniform(0.1, 4.0), "excitatory to inhibitory"),
        Param("aie", 2.0, "1", 0.0, 100.0, Uniform(0.5, 4.0), "inhibitory to excitatory"),
        Param("b", 0.1, "1/ms", 0.0, 10.0, LogUniform(0.001, 1.0), "rate of Z"),
        Param("C", 0.1, "1", 0.0, 1.0, Uniform(0.0, 0.5), "share of the network in excitation"),
        Param("ane", 1.0, "1", 0.0, 100.0, Uniform(0.4, 1.2), "input to excitatory"),
        Param("ani", 0.4, "1", 0.0, 100.0, Uniform(0.3, 0.5), "input to inhibitory"),
        Param("aee", 0.36, "1", 0.0, 100.0, Uniform(0.0, 0.6), "excitatory to excitatory"),
        Param("Iext", 0.3, "1", -10.0, 10.0, Uniform(0.1, 0.4), "subcortical input"),
        Param("rNMDA", 0.25, "1", 0.0, 10.0, Uniform(0.2, 0.3), "NMDA over AMPA receptors"),
        Param("VT", 0.0, "1", -10.0, 10.0, Uniform(-0.1, 0.7), "threshold of pyramidal cells"),
        Param("d_V", 0.65, "1", 1e-3, 10.0, Uniform(0.49, 0.7), "spread of VT"),
        Param("ZT", 0.0, "1", -10.0, 10.0, Uniform(-0.1, 0.1), "threshold of interneurons"),
        Param("d_Z", 0.65, "1", 1e-3, 10.0, Uniform(0.3, 0.75), "spread of ZT"),
        Param("QV_max", 1.0, "kHz", 0.0, 100.0, Uniform(0.1, 1.2), "largest excitatory rate"),
        Param("QZ_max", 1.0, "kHz", 0.0, 100.0, Uniform(0.1, 1.2), "largest inhibitory rate"),
        Param("t_scale", 1.0, "1", 1e-3, 100.0, LogUniform(0.1, 2.0), "speed of the whole system"),
    ),
)
