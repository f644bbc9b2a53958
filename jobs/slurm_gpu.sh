#!/usr/bin/env bash
# The driver of a study that is simulated on GPUs (simulation: {backend: cuda}), one job per GPU:
#
#     sbatch jobs/slurm_gpu.sh study.yaml '{kind: slurm, jobs: 16, cpus: 4, memory: 30GiB,
#         walltime: "04:00:00", gpus: 1, partition: gpu}'
#
# The driver itself needs no GPU. What the second argument says may stand in a profile instead.
#SBATCH --job-name=hpcvbi-driver
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=hpcvbi-%j.log
set -euo pipefail

# What makes `hpcvbi` known on this site, for example:
# module load python cuda
# source "$HOME/venvs/hpcvbi/bin/activate"

study=$1
cluster=${2:-"{kind: slurm, gpus: 1}"}
exec hpcvbi run "$study" --chain --cluster "$cluster" "${@:3}"
