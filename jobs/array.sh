#!/usr/bin/env bash
# A study in N parts, one allocation each: beyond what one scheduler feeds, or where several small
# jobs start sooner than one large one.
#
#     sbatch --array=1-4 jobs/array.sh study.yaml     # N = 4; from the study's working directory
#     hpcvbi merge study.yaml                         # when all are done
#     hpcvbi run study.yaml                           # judges everybody; simulates nothing again
#
# Each task is a driver of its own with one worker per core of its node's share. The same sbatch
# command again resumes whatever was cancelled or met its time limit; parts that are done end within
# seconds.
#
# Account, partition and other sizes go on sbatch's command line, which overrides these lines:
#SBATCH --job-name=hpcvbi
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2000M
#SBATCH --time=04:00:00
#SBATCH --output=%x-%A_%a.log
# Two minutes before the end the driver marks what is finished and ends, with exit code 75.
#SBATCH --signal=B:TERM@120
# A node that fails ends its part: a driver that was requeued would meet its own lock.
#SBATCH --no-requeue
set -euo pipefail

if [[ $# -ne 1 || -z ${SLURM_ARRAY_TASK_ID:-} || -z ${SLURM_ARRAY_TASK_COUNT:-} ]]; then
    echo "usage: sbatch --array=1-N array.sh STUDY" >&2
    exit 2
fi

# What your site needs, such as: module load python; source /path/to/.venv/bin/activate

# `exec`: SLURM's signal then reaches the driver itself.
exec hpcvbi run "$1" --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --cluster local
