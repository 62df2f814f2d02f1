/**
 * One kind of node: where the containerd of it is configured, who runs it, and who else writes there. All that is asked of
 * a kind stands here; nothing outside its file asks for it by name.
 */
export interface NodeLayout {
  /** What `layout` calls it; `custom` for one that is given by its paths. */
  kind: string;
  /**
   * systemd units that run containerd, of which a node has one: the one that is there is restarted where a restart is
   * needed.
   */
  units: readonly string[];
  /** Main configuration, where `paths` does not find another. */
  configPath: string;
  /** Set where the configuration is not ours to edit, because a program writes it anew at each of its starts. */
  lockedConfig?: LockedConfig;
  /**
   * Set where settings go into a folder of drop-ins, at whose changes the program that runs containerd restarts it by
   * itself; `lockedConfig` is for a main configuration that does not have the mark.
   */
  dropIns?: DropIns;
  /** Where hosts.toml files go, where the configuration names no directory yet. */
  hostsDir: string;
  /** "mirror": a hosts directory that RegistryMirror names comes before the usual one; "layout": the layout's own stands. */
  hostsDirFrom: "mirror" | "layout";
  /**
   * A symbolic link in these paths that an upgrade points elsewhere, having copied what lies below it. Everything is kept
   * by its name, so that it is the same after an upgrade.
   */
  link?: string;
  /** Set where the program that runs containerd can be told another folder for its files. */
  dataDir?: DataDir;
  /** Socket of CRI, where `paths` does not find another. */
  socketPath: string;
  /** containerd's program: a name on root's PATH, or a path; where the unit's own process is none. */
  binary: string;
  /**
   * "process": configuration and socket are those that the unit's process names in its arguments and its configuration.
   * "fixed": they are the layout's, and a process that names others is refused.
   */
  paths: "process" | "fixed";
  /** Set where the owner's program gives all files there rights of its own from time to time, for root and a group. */
  setsModes?: true;
  /** Which other program writes to configuration or hosts directory, and when; undefined where only people do. */
  otherWriter?: string;
  /** Prints the release of the program that runs containerd: its name, as the unit starts it, and what it is called with. */
  versionCommand?: string;
  /** Set where that program makes hosts.toml files at each of its starts. */
  generatedHosts?: GeneratedHosts;
  /** What of ours is there again after a restart of the unit. */
  survivesRestart: string;
}

/** Where a program keeps what it makes and unpacks, and how it is told to do so elsewhere. */
interface DataDir {
  /** With this at its beginning a path of the layout lies there. */
  usual: string;
  /** Arguments that name another, as `--flag VALUE` or `--flag=VALUE`. */
  flags: readonly string[];
  /** Environment variable that does, and comes before the arguments. */
  variable?: string;
  /** YAML file whose `data-dir` does, and files in the folder of its name with `.d`, which come after the arguments. */
  configPath?: string;
}

/** A configuration that is not ours to edit. */
export interface LockedConfig {
  /** Who writes it. */
  writer: string;
  /** File of the node's owner that it is made from at each start of the unit, with the same tables: credentials can stand there. */
  template?: ConfigTemplate;
  /** What people can do where it does not name the hosts directory, or lacks something else that is needed. */
  wayOut: string;
}

/** A TOML file in which only places are left open. */
interface ConfigTemplate {
  path: string;
  /** How an open place begins, which no value may hold. */
  open: string;
  /** Who may read what is made of it, but for root. */
  readers: string;
}

/** hosts.toml files that a program makes at each of its starts from a file of the node's owner. */
export interface GeneratedHosts {
  /** The program, as the first line of each file names it. */
  program: string;
  /** From which it makes them. */
  registriesPath: string;
  /** Where CA files go that cannot lie in a folder which it deletes. */
  caDir: string;
  /** There where Rancher provisioned the node, and writes that file itself. */
  provisionedPath: string;
  /**
   * Releases from which on a start deletes those files alone, one of each line: before, it deleted every folder of the
   * hosts directory.
   */
  keepsOthersSince: readonly string[];
}

/** A folder of drop-ins that is watched by the program that runs containerd. */
interface DropIns {
  /** Any change in it makes that program restart containerd; what lies in folders below it does not. */
  folder: string;
  /** Our file in it. */
  path: string;
  /** First line of the main configuration as long as that program writes it, so that it has what is in the folder. */
  mark: string;
  /** Releases with containerd 1.x merge the folder into this file, table by table, before each start. */
  mergedPath: string;
  /** Where that program writes down containerd's process. */
  pidPath: string;
  /** Release of it from which on a drop-in of version 2 keeps it from starting. */
  refusesVersion2: string;
}
