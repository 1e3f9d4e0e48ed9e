"""What happens to a fan-out when something breaks in the middle of it, judged by what arrived and by nothing else."""
