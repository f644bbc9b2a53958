#!/usr/bin/env bash
# The driver as a SLURM job, so that nothing runs on the login node:
#
#     sbatch jobs/slurm.sh study.yaml --profile mysite
#
# It submits the workers' jobs itself, as `cluster` in the study or the profile says, replaces lost
# ones, and ends them when it ends. Before its own wall time it stops; with --chain it then goes back
# into the queue, again and again until the study is done. `hpcvbi status study.yaml` shows how far
# it is. Account and partition: on the command line of sbatch, or here.
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
# module load python
# source "$HOME/venvs/hpcvbi/bin/activate"

exec hpcvbi run "$@"
