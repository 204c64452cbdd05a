# Each line is one call of dev.py; on a machine without make type `python3 dev.py run` and so on.
.PHONY: run test test-all ui lock bench scenario requirements

run test test-all ui lock requirements:
	@python3 dev.py $@

# make scenario NAME=monday-morning
scenario:
	@python3 dev.py scenario $(NAME)

# make bench [FIGURES=engine.]
bench:
	@python3 dev.py bench $(FIGURES)
