import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { type AuthContext, type Connection, Server, type ServerChannel, utils } from "ssh2";

import type { NodeConnection } from "../../../../provider/node/connection";

/**
 * A node in a folder: a real SSH server (ssh2's) whose commands are run by this machine's sh, with a systemctl, a
 * containerd and a sudo of its own in front of the PATH. Our program for nodes runs on it unchanged, below the folder.
 */
export class FakeNode {
  // In memory where there is such a place: the node's many fsyncs are not what these tests are about.
  readonly root = realpathSync(mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "fake-node-")));
  readonly clientKey = ed25519Pair();
  readonly hostKeys: { private: string; public: string }[];
  readonly options: FakeNodeOptions;
  /** SSH connections that got as far as a login. */
  logins = 0;
  connections = 0;
  channels = 0;
  port = 0;
  private readonly server: Server;
  private readonly open = new Set<Connection>();
  private readonly children = new Set<ChildProcess>();

  private constructor(options: FakeNodeOptions) {
    this.options = options;
    this.hostKeys = (options.hostKeyTypes ?? ["ed25519"]).map((type) =>
      type === "rsa"
        ? utils.generateKeyPairSync("rsa", { bits: 2048 })
        : type === "ecdsa"
          ? utils.generateKeyPairSync("ecdsa", { bits: 256 })
          : ed25519Pair(),
    );
    this.layOut();
    this.server = new Server(
      { hostKeys: this.hostKeys.map((k) => k.private), ...(options.banner ? { banner: options.banner } : {}) },
      (client) => this.serve(client),
    );
  }

  static async start(options: FakeNodeOptions = {}): Promise<FakeNode> {
    const node = new FakeNode(options);
    await new Promise<void>((resolve) => node.server.listen(0, "127.0.0.1", resolve));
    node.port = (node.server.address() as { port: number }).port;
    return node;
  }

  /** `ssh-ed25519 AAAA…` of the first host key. */
  get hostKey(): string {
    return (this.hostKeys[0]?.public ?? "").split(" ").slice(0, 2).join(" ");
  }

  connection(extra: Partial<NodeConnection> = {}): NodeConnection {
    return {
      host: "127.0.0.1",
      port: this.port,
      privateKey: this.clientKey.private,
      hostKey: this.hostKey,
      dialErrorLimit: 1,
      perDialTimeout: 30,
      ...extra,
    };
  }

  path(path: string): string {
    return join(this.root, path);
  }

  write(path: string, text: string | Buffer, mode?: number): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
    if (mode !== undefined) {
      chmodSync(this.path(path), mode);
    }
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  /** Restarts of containerd asked for so far. */
  get restarts(): number {
    return this.exists("fake/restarts") ? this.read("fake/restarts").length : 0;
  }

  /** Below etc: path -> mode, mtime and digest or link, so that "as before" means every byte and time. */
  snapshot(below = "etc"): Record<string, string> {
    const seen: Record<string, string> = {};
    const walk = (dir: string) => {
      for (const name of readdirSync(dir)) {
        const path = join(dir, name);
        const stat = lstatSync(path);
        const mode = (stat.mode & 0o7777).toString(8);
        const key = relative(this.root, path);
        if (stat.isDirectory()) {
          seen[key] = `dir ${mode}`;
          walk(path);
        } else if (stat.isSymbolicLink()) {
          seen[key] = `link ${readlinkSync(path)}`;
        } else {
          seen[key] = `file ${mode} ${stat.mtimeMs} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
        }
      }
    };
    walk(this.path(below));
    return seen;
  }

  /** Cuts all connections the hard way, as a lost network does once it is noticed. */
  cut(): void {
    for (const client of this.open) {
      (client as unknown as { _sock: { destroy(): void } })._sock.destroy();
    }
  }

  /** Waits until no command is running any more. */
  async quiet(): Promise<void> {
    while (this.children.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await Promise.race([this.quiet(), new Promise((resolve) => setTimeout(resolve, 2000))]);
    for (const child of this.children) {
      child.kill("SIGKILL");
    }
    rmSync(this.root, { recursive: true, force: true });
  }

  private layOut(): void {
    this.write("run/systemd/system/.here", "");
    this.write("proc/sys/kernel/random/boot_id", "boot-1\n");
    this.write("etc/containerd/config.toml", "version = 2\n[plugins]\n");
    this.write("fake/pid", "100");
    mkdirSync(this.path("var/lib"), { recursive: true });
    // What `systemctl restart` does here: note it, fail when the configuration is broken, become another process.
    this.write(
      "bin/systemctl",
      `#!/bin/sh
cd "${this.root}/fake" || exit 1
case $1 in
  show)
    [ -e unit ] && cat unit && exit 0
    echo LoadState=loaded
    if [ -e down ]; then echo ActiveState=failed; echo MainPID=0; else echo ActiveState=active; echo "MainPID=$(cat pid)"; fi
    echo "ExecStart={ path=/usr/bin/containerd ; argv[]=/usr/bin/containerd ; ignore_errors=no }" ;;
  restart)
    printf x >> restarts
    [ ! -e slow ] || sleep "$(cat slow)"
    echo $(($(cat pid) + 1)) > pid
    if grep -q BROKEN-AT-START ../etc/containerd/config.toml; then touch down; echo "Job for containerd.service failed" >&2; exit 1; fi
    rm -f down ;;
esac
exit 0
`,
      0o755,
    );
    this.write(
      "usr/bin/containerd",
      `#!/bin/sh
for a; do case $a in --config=*) config=\${a#--config=} ;; esac; done
case "$*" in
  *--version*) echo "containerd github.com/containerd/containerd 1.7.24 abc" ;;
  *"config dump"*) if grep -q SYNTAX-ERROR "$config"; then echo "containerd: failed to load TOML: bad: $(grep SYNTAX-ERROR "$config")" >&2; exit 1; fi; cat "$config" ;;
esac
`,
      0o755,
    );
    this.write("bin/journalctl", "#!/bin/sh\necho 'level=fatal msg=\"no good\"'\n", 0o755);
    this.write(
      "bin/sudo",
      `#!/bin/sh
printf '%s\\n' "$*" >> "${this.root}/fake/sudo-arguments"
[ ! -e "${this.root}/fake/no-sudo" ] || { echo "guest is not in the sudoers file." >&2; exit 1; }
if [ "$1" = -n ]; then
  [ ! -e "${this.root}/fake/sudo-password" ] || { echo "sudo: a password is required" >&2; exit 1; }
else
  shift 2
  if [ -e "${this.root}/fake/sudo-password" ]; then
    for try in 1 2 3; do
      IFS= read -r given || { echo "sudo: no password was provided" >&2; exit 1; }
      [ "$given" != "$(cat "${this.root}/fake/sudo-password")" ] || break
      [ "$try" -lt 3 ] || { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
      echo "Sorry, try again." >&2
    done
  fi
fi
shift 1
while [ "$1" = -- ]; do shift; done
exec "$@"
`,
      0o755,
    );
  }

  private serve(client: Connection): void {
    this.connections++;
    this.open.add(client);
    client.on("error", () => {});
    client.on("close", () => this.open.delete(client));
    client.on("authentication", (ctx) => this.authenticate(ctx));
    client.on("ready", () => {
      this.logins++;
    });
    client.on("session", (accept) => {
      const session = accept();
      session.on("exec", (acceptExec, _reject, info) => {
        this.channels++;
        const channel = acceptExec();
        (this.options.exec ?? ((command, ch) => this.exec(command, ch)))(info.command, channel, client);
      });
    });
    // Without listeners the server answers "administratively prohibited", as an sshd that may not forward.
    if (this.options.forbidForwarding !== true) {
      this.forward(client);
    }
  }

  private forward(client: Connection): void {
    const join = (socket: Socket, accept: () => ServerChannel, reject: () => void) => {
      socket.once("error", () => reject());
      socket.once("connect", () => {
        const channel = accept();
        channel.on("error", () => {});
        socket.on("error", () => channel.destroy());
        channel.pipe(socket).pipe(channel);
      });
    };
    client.on("tcpip", (accept, reject, info) => join(connectTcp(info.destPort, info.destIP), accept, reject));
    // The library's types do not know this event.
    client.on(
      "openssh.streamlocal" as "session",
      ((accept: () => ServerChannel, reject: () => void, info: { socketPath: string }) =>
        join(connectTcp(info.socketPath), accept, reject)) as never,
    );
  }

  private authenticate(ctx: AuthContext): void {
    const { options } = this;
    if (options.users && !options.users.includes(ctx.username)) {
      ctx.reject(["publickey"]);
      return;
    }
    if (ctx.method === "publickey") {
      const known = utils.parseKey(this.clientKey.public);
      const right =
        !(known instanceof Error) &&
        ctx.key.data.equals(known.getPublicSSH()) &&
        (!ctx.signature || known.verify(ctx.blob ?? Buffer.alloc(0), ctx.signature, ctx.hashAlgo));
      if (right && options.password === undefined) {
        ctx.accept();
        return;
      }
    }
    if (
      ctx.method === "password" &&
      options.password !== undefined &&
      options.keyboardOnly !== true &&
      ctx.password === options.password
    ) {
      ctx.accept();
      return;
    }
    if (ctx.method === "keyboard-interactive" && options.password !== undefined) {
      ctx.prompt([{ prompt: "Password: ", echo: false }], (answers) => {
        if (answers[0] === options.password) {
          ctx.accept();
        } else {
          ctx.reject();
        }
      });
      return;
    }
    ctx.reject(
      options.password === undefined
        ? ["publickey"]
        : options.keyboardOnly === true
          ? ["keyboard-interactive"]
          : ["password", "keyboard-interactive"],
    );
  }

  /** As sshd does it: a pipe each way, no signal when the connection goes, only the end of input. */
  exec(command: string, channel: ServerChannel): void {
    const child = spawn(this.options.shell ?? "/bin/sh", ["-c", command], {
      env: { PATH: `${this.root}/bin:${process.env["PATH"] ?? ""}`, HOME: this.root },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.children.add(child);
    child.on("exit", () => this.children.delete(child));
    child.stdin.on("error", () => {});
    channel.on("error", () => {});
    channel.on("close", () => {
      child.stdin.end();
      child.stdout.resume();
      child.stderr.resume();
    });
    channel.pipe(child.stdin);
    child.stdout.on("data", (chunk: Buffer) => {
      if (channel.writable) {
        channel.write(chunk);
      }
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (channel.stderr.writable) {
        channel.stderr.write(chunk);
      }
    });
    child.on("close", (code, signal) => {
      if (channel.writable) {
        if (signal === null) {
          channel.exit(code ?? 0);
        }
        channel.end();
        channel.close();
      }
    });
  }
}

/** ssh2 1.17 drops a leading zero byte: one in 256 of its ed25519 keys cannot be read by anyone. */
export function ed25519Pair(): { private: string; public: string } {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519");
    if (!(utils.parseKey(pair.private) instanceof Error)) {
      return pair;
    }
  }
}

export interface FakeNodeOptions {
  hostKeyTypes?: ("ed25519" | "rsa" | "ecdsa")[];
  /** Log in by this password instead of the key. */
  password?: string;
  keyboardOnly?: boolean;
  users?: string[];
  forbidForwarding?: boolean;
  banner?: string;
  /** In place of running commands. */
  exec?: (command: string, channel: ServerChannel, client: Connection) => void;
  /** Another shell than /bin/sh, as a login shell would be. */
  shell?: string;
}
