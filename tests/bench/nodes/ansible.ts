import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { messageOf } from "../../../provider/model/errors";
import { execute } from "../../lab/lab/execute";
import { withLock } from "../../lab/lab/lock";
import type { Target, Tool, Wanted, Wrap } from "./tool";

/** Older ones do not run on the Python of Debian 13 (3.13). */
const requirement = "ansible-core>=2.18";

/** Where Ansible came from, or could not come from. */
export class AnsibleMissing extends Error {}

export interface Ansible {
  readonly playbookProgram: string;
  readonly version: string;
}

/** ansible-core in a virtual environment of its own below the cache folder. @throws AnsibleMissing */
export async function ensureAnsible(cache: string, log: (line: string) => void): Promise<Ansible> {
  mkdirSync(cache, { recursive: true });
  const folder = join(cache, "ansible");
  const marker = join(folder, "installed");
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(marker) && readFileSync(marker, "utf8") === requirement) return;
    log(`installing ${requirement} from PyPI (once)`);
    rmSync(folder, { recursive: true, force: true });
    await orMissing(
      "python3",
      ["-m", "venv", folder],
      "install Python 3.11 or newer with its venv module (apt-get install python3-venv)",
    );
    await orMissing(
      join(folder, "bin", "pip"),
      ["install", "--quiet", "--disable-pip-version-check", requirement],
      "the package registry PyPI must be in reach, and Python 3.11 or newer",
    );
    writeFileSync(marker, requirement);
  });
  const playbookProgram = join(folder, "bin", "ansible-playbook");
  const { stdout } = await orMissing(playbookProgram, ["--version"], `delete ${folder} and run again`);
  return { playbookProgram, version: /core ([0-9.]+)/.exec(stdout)?.[1] ?? "unknown" };
}

async function orMissing(command: string, args: readonly string[], wayOut: string): Promise<{ stdout: string }> {
  const result = await execute(command, args, { timeout: 600_000, env: environment() }).catch((error: unknown) => ({
    code: -1,
    stdout: "",
    stderr: messageOf(error),
  }));
  if (result.code !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-6).join("\n");
    throw new AnsibleMissing(
      `Ansible, which this benchmark compares with, could not be had: "${command} ${args.join(" ")}" failed; ${wayOut}.\n${said}`,
    );
  }
  return result;
}

/** Nothing of the user's own Ansible, and a locale that it accepts. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("ANSIBLE_"));
  return { ...Object.fromEntries(own), LC_ALL: "C.UTF-8", ...more };
}

/**
 * `ansible-playbook` with the settings its documentation recommends for speed: forks for every node, pipelining, kept
 * connections.
 */
export class AnsiblePlaybook implements Tool {
  readonly name = "ansible";
  /** Short: a control socket's path may have 108 bytes. */
  private readonly controlDir = mkdtempSync(join(tmpdir(), "rm-bench-"));

  constructor(
    private readonly ansible: Ansible,
    private readonly options: { folder: string; forks: number; privateKeyPath: string; wrap: Wrap },
  ) {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  get description(): string {
    return `ansible-core ${this.ansible.version}, forks ${this.options.forks}, pipelining`;
  }

  private get folder(): string {
    return this.options.folder;
  }

  begin(targets: readonly Target[]): Promise<void> {
    const { forks, privateKeyPath } = this.options;
    const file = (name: string, text: string): void => writeFileSync(join(this.folder, name), text, { mode: 0o600 });
    const knownHosts = join(this.folder, "known_hosts");
    file(
      "known_hosts",
      targets.map(({ host, port, hostKey }) => `${port === 22 ? host : `[${host}]:${port}`} ${hostKey}\n`).join(""),
    );
    const hosts = targets.map(({ name, host, port }) => [name, { ansible_host: host, ansible_port: port }]);
    file(
      "inventory.json",
      JSON.stringify({
        nodes: {
          hosts: Object.fromEntries(hosts) as object,
          vars: { ansible_user: "root", ansible_python_interpreter: "/usr/bin/python3" },
        },
      }),
    );
    file(
      "ansible.cfg",
      [
        "[defaults]",
        `inventory = ${join(this.folder, "inventory.json")}`,
        `forks = ${forks}`,
        `private_key_file = ${privateKeyPath}`,
        "[connection]",
        "pipelining = True",
        "[ssh_connection]",
        `control_path_dir = ${this.controlDir}`,
        // Ansible's own defaults but for compression, which costs more than it saves on a local network.
        `ssh_args = -F /dev/null -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${knownHosts} -o IdentitiesOnly=yes`,
        "",
      ].join("\n"),
    );
    return Promise.resolve();
  }

  async run(wanted: Wanted): Promise<number> {
    const { endpoint, mirror, publicHosts, caCertPath, username, password } = wanted;
    const variables = {
      endpoint,
      mirror,
      public_hosts: publicHosts,
      ca_cert: caCertPath,
      username,
      password,
      hosts_dir: "/etc/containerd/certs.d",
    };
    writeFileSync(join(this.folder, "variables.json"), JSON.stringify(variables), { mode: 0o600 });
    const [program = "", ...args] = this.options.wrap([
      this.ansible.playbookProgram,
      "-e",
      `@${join(this.folder, "variables.json")}`,
      join(__dirname, "playbook", "site.yml"),
    ]);
    const started = performance.now();
    const result = await execute(program, args, {
      timeout: 900_000,
      env: environment({ ANSIBLE_CONFIG: join(this.folder, "ansible.cfg"), ANSIBLE_HOME: join(this.folder, "home") }),
    });
    const seconds = (performance.now() - started) / 1000;
    if (result.code !== 0) {
      throw new Error(`ansible-playbook failed:\n${result.stdout.slice(-4000)}\n${result.stderr.slice(-2000)}`);
    }
    return seconds;
  }

  async end(): Promise<void> {
    await Promise.all(
      readdirSync(this.controlDir).map((socket) =>
        execute("ssh", ["-F", "/dev/null", "-O", "exit", "-S", join(this.controlDir, socket), "any"]),
      ),
    );
  }

  close(): void {
    rmSync(this.controlDir, { recursive: true, force: true });
  }
}
