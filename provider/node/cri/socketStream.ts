import type { Duplex } from "node:stream";

import type { ClientChannel } from "ssh2";

import { messageOf } from "../../model/errors";
import { NodeError, quoteRemote } from "../nodeError";
import { explainRefusal, type Privilege } from "../privilege";
import { bootCommand, bootGo, bootReady } from "../script/script";
import { openExec } from "../ssh/execChannel";
import type { SshConnection } from "../ssh/sshConnection";

/**
 * A stream to a unix socket on the node. Root asks sshd for it; where sshd does not do that (AllowStreamLocalForwarding
 * no) or the user is not root, who alone may open containerd's socket, a small program on the node joins our channel to
 * it.
 */
export async function openSocketStream(ssh: SshConnection, privilege: Privilege, path: string): Promise<Duplex> {
  if (privilege.prefix === "") {
    // A refusal does not tell whether sshd may not or the socket is not there (OpenSSH answers "open failed" to both):
    // joining will.
    const stream = await forwarded(ssh, path).catch(() => undefined);
    if (stream) {
      return stream;
    }
  }
  return joined(ssh, privilege, path);
}

function forwarded(ssh: SshConnection, path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    try {
      ssh.client.openssh_forwardOutStreamLocal(path, (error, channel) => {
        if (error) {
          reject(error);
        } else {
          resolve(channel);
        }
      });
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

const joinedGreeting = "registry-mirror-joined";

/** The statuses with which the program below says why it cannot join; sudo hands them on. */
const noSocket = 3;
const nothingToJoin = 4;
const ours: readonly (number | undefined)[] = [noSocket, nothingToJoin];

/** Whatever of these is there; Debian's base always has perl, kubeadm wants socat, other distributions have python3. */
function joinScript(path: string): string {
  const quoted = `'${path.replace(/'/g, "'\\''")}'`;
  return `
s=${quoted}
export s
if [ ! -S "$s" ]; then echo "no socket $s" >&2; exit ${noSocket}; fi
if command -v socat >/dev/null 2>&1; then echo ${joinedGreeting}; exec socat - "UNIX-CONNECT:$s"
elif command -v python3 >/dev/null 2>&1; then exec python3 -c '
import os, socket, threading
c = socket.socket(socket.AF_UNIX)
c.connect(os.environ["s"])
os.write(1, b"${joinedGreeting}\\n")
def up():
    while True:
        b = os.read(0, 65536)
        if not b:
            break
        c.sendall(b)
    os._exit(0)
threading.Thread(target=up, daemon=True).start()
while True:
    b = c.recv(65536)
    if not b:
        break
    while b:
        b = b[os.write(1, b):]
'
elif command -v perl >/dev/null 2>&1; then exec perl -e '
use Socket;
socket(my $c, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect($c, sockaddr_un($ENV{s})) or die "connect: $!";
syswrite(STDOUT, "${joinedGreeting}\\n");
sub copy { my ($from, $to) = @_; my $n = sysread($from, my $b, 65536); exit 0 unless $n; my $o = 0;
  while ($o < $n) { my $w = syswrite($to, $b, $n - $o, $o); exit 1 unless defined $w; $o += $w } }
while (1) { my $r = ""; vec($r, 0, 1) = 1; vec($r, fileno($c), 1) = 1; select($r, undef, undef, undef);
  copy(*STDIN, $c) if vec($r, 0, 1); copy($c, *STDOUT) if vec($r, fileno($c), 1) }
'
else echo "no socat, python3 or perl" >&2; exit ${nothingToJoin}
fi`;
}

async function joined(ssh: SshConnection, privilege: Privilege, path: string): Promise<Duplex> {
  const script = joinScript(path);
  const channel = await openExec(ssh.client, `${privilege.prefix}${bootCommand(Buffer.byteLength(script))}`, ssh.name);
  let stderr = "";
  let exitCode: number | undefined;
  channel.on("close", (code?: number | null) => {
    exitCode = code ?? undefined;
  });
  channel.stderr.setEncoding("utf8");
  channel.stderr.on("data", (text: string) => {
    if (stderr.length < 4096) {
      stderr += text;
    }
  });
  channel.on("error", () => {});
  try {
    await startJoined(channel, privilege, script);
  } catch (error) {
    channel.close();
    const refused = ours.includes(exitCode) ? undefined : explainRefusal(ssh.name, privilege, exitCode, stderr, "");
    throw (
      refused ??
      new NodeError(
        "NODE_CRI",
        ssh.name,
        exitCode === nothingToJoin
          ? `reaching containerd's socket as ${privilege.user} needs socat (or python3, or perl) on the node; install one of them, or connect as root`
          : `containerd's socket ${path} cannot be opened (${quoteRemote(stderr, 200) || messageOf(error)})`,
        { cause: error },
      )
    );
  }
  return channel;
}

/** Feeds the script and reads up to its greeting; what comes after belongs to the caller. */
function startJoined(channel: ClientChannel, privilege: Privilege, script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    let sent = false;
    const send = () => {
      if (!sent) {
        sent = true;
        channel.write(`${bootGo}\n${script}`);
      }
    };
    const done = (error?: Error) => {
      clearTimeout(timer);
      channel.removeListener("readable", onReadable);
      channel.removeListener("close", onClose);
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    };
    const onReadable = () => {
      for (let chunk = channel.read() as Buffer | null; chunk !== null; chunk = channel.read() as Buffer | null) {
        seen = Buffer.concat([seen, chunk]);
      }
      if (seen.includes(`${bootReady}\n`)) {
        send();
      }
      const mark = `${joinedGreeting}\n`;
      const at = seen.indexOf(mark);
      if (at >= 0) {
        const rest = seen.subarray(at + mark.length);
        done();
        if (rest.length > 0) {
          channel.unshift(rest);
        }
      } else if (seen.length > 100_000) {
        done(new Error("endless output before the connection"));
      }
    };
    const onClose = () => done(new Error("the program on the node ended"));
    const timer = setTimeout(() => done(new Error("no answer within 20 s")), 20_000);
    channel.on("readable", onReadable);
    channel.on("close", onClose);
    if (privilege.password === undefined) {
      send();
    } else {
      channel.write(`${privilege.password}\n`);
    }
  });
}
