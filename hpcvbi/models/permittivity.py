"""What drives the slow permittivity z of the Epileptor.

    h = (1 − m) (4 (x1 − x0) + [z < 0] (−.1 z⁷)) + m (x0 + 3 / (1 + exp(−10 (x1 + ½))))

Jirsa et al. (2014) doi:10.1093/brain/awu133 (m = 0); Proix et al. (2014)
doi:10.1523/JNEUROSCI.1027-14.2014 (m = 1), where seizures and the time between them differ in
length. Between the two m is the share of the second.
"""

from numpy import exp, where


def permittivity_drive(x1, z, x0, modification):
    """Value that z relaxes to."""
    square = z * z
    linear = 4.0 * (x1 - x0) - where(z < 0.0, 0.1 * z * square * square * square, 0.0)
    sigmoid = x0 + 3.0 / (1.0 + exp(-10.0 * x1 - 5.0))
    return (1.0 - modification) * linear + modification * sigmoid
