"""What a PC needs before anything of ours can run; standard library only, as it runs before the venv."""
