#!/usr/bin/env bash
# A study inside one MPI launch under SLURM. Submit it as it is, the site's options in front:
#
#   sbatch --account=ACCOUNT --partition=PARTITION jobs/mpi.sh STUDY.yaml
#
# The study says `cluster: {kind: mpi}`. Rank 0 schedules, rank 1 drives, the others work. With
# GPUs: gpus: 1 in the study, and --gpus-per-node (ranks 0 and 1 need none), or --gpus-per-task=1.
#
# The launcher must belong to the MPI library that mpi4py loads, or all ranks believe to be alone:
#   srun --mpi=pmi2   MPICH, Intel MPI, MVAPICH        (the default here)
#   srun --mpi=pmix   Open MPI; Debian's SLURM lacks libpmix2 for it
#   mpiexec           any library's own, of the same installation:  HPCVBI_LAUNCH="mpiexec" sbatch ...
# Under PBS Pro:
#   #PBS -l select=2:ncpus=4:mpiprocs=4
#   #PBS -l walltime=04:00:00
#   cd "$PBS_O_WORKDIR" && mpiexec hpcvbi run STUDY.yaml
#
# Exit code 75: the wall time drew near, and the study stopped; submit the same command again. (Where
# mpiexec itself is signalled and not the ranks, MPICH's ends with a code of its own.)
#SBATCH --job-name=hpcvbi
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@180
#SBATCH --no-requeue
set -euo pipefail

# module load python mpich
# MPICH's wheel hangs at its start now and then with UCX under srun --mpi=pmi2; its other network:
# export MPIR_CVAR_CH4_NETMOD=ofi
# The signal goes to every rank; the driver's acts on it, and ends the others.
read -ra launch <<< "${HPCVBI_LAUNCH:-srun --mpi=pmi2}"
exec "${launch[@]}" "${HPCVBI:-hpcvbi}" run "${1:?the study file}" "${@:2}"
