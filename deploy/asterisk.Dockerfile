# Not built and not run by the project's own checks yet. The exchange as Ubuntu packages it, with its own sample configuration.
FROM ubuntu:24.04
RUN apt-get update \
 && apt-get install -y --no-install-recommends asterisk \
 && rm -rf /var/lib/apt/lists/*
USER asterisk
EXPOSE 5060/udp
CMD ["asterisk", "-f"]
