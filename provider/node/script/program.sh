#!/bin/sh
# The program that runs on the node: one POSIX sh for the whole session, made of the parts that it names. It reads
# commands, one a line, from its standard input and answers on its standard output; nothing is ever an argument of a
# process, so that nothing of ours, above all no secret, stands in the node's process list. It needs coreutils,
# util-linux (flock) and systemd, no more.
#
# Lines that answer: `data …` any number of times, then exactly one of `ok …`, `err CODE BASE64`, `skip` (an earlier
# command failed). Values with anything but plain characters travel as `=BASE64`. File contents follow their command as
# SIZE bytes of base64 text, read whole before anything is done with them: a full disk must not leave half a file in
# the pipe to be taken for commands.
#
# `$root` is empty on a node; the tests run the same program below a folder of their own. `$idle` is how long no word
# from us, not even a ping, means that we are gone (a cable that was cut tells nobody).
# `$unit` is the systemd unit that runs containerd: the one that was found when the node was read, or that a journal names.

root='@ROOT@'
idle='@IDLE@'
unit='@UNIT@'

# shellcheck source=basics.sh
. ./basics.sh
# shellcheck source=dataDir.sh
. ./dataDir.sh
# shellcheck source=observe.sh
. ./observe.sh
# shellcheck source=transaction.sh
. ./transaction.sh
# shellcheck source=loop.sh
. ./loop.sh
