#!/usr/bin/env bash
# A study inside one SLURM allocation, without MPI. Submit it as it is, site's options in front:
#
#   sbatch --account=ACCOUNT --partition=PARTITION jobs/srun.sh STUDY.yaml
#
# The study says `cluster: {kind: srun}`. One worker per task, as many blocks at once as a task has
# cores; the driver shares a core of the first node. With GPUs: gpus: 1 in the study, and here
# --ntasks-per-node as many as --gpus-per-node, or --gpus-per-task=1.
#
# Exit code 75: the wall time drew near, and the study stopped; submit the same command again.
#SBATCH --job-name=hpcvbi
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --no-requeue
set -euo pipefail

# module load python
# The signal is for the batch script alone (B:), so hpcvbi takes its place and hears it.
exec "${HPCVBI:-hpcvbi}" run "${1:?the study file}" "${@:2}"
