import type { GeneratedHosts, LockedConfig } from "./layout/layout";

/** What was found on a node before anything is planned. Texts only: parsing is containerd/'s work. */
export interface ObservedNode {
  /** `containerd --version` as printed. */
  versionText: string;
  /** Path of the main config file from the running service (default: the layout's). */
  configPath: string;
  /** Where the node's layout wants hosts.toml files; undefined where the mirror says it. */
  hostsDir?: string;
  /** Of the node's layout: the configuration is not ours to edit. */
  lockedConfig?: LockedConfig;
  /** Of the node's layout: its program sets the rights of our files, too. */
  setsModes?: true;
  /** Of the node's layout: another program makes hosts.toml files, too. */
  generatedHosts?: GeneratedHosts;
  /** What stood in its registries file before us, with what others changed there since; absent where we changed nothing. */
  registriesBefore?: string;
  /** What that program prints as its release; empty where it cannot be run. */
  programText?: string;
  /** Of the node's layout: settings go into a file of our own beside the main configuration. */
  dropIns?: ObservedDropIns;
  /**
   * Every text file that matters by absolute path: main config, files named by `imports`, everything small below the
   * hosts directories.
   */
  files: Record<string, ObservedFile>;
  /**
   * Directories directly below the hosts directories, where known: an empty one hides those that containerd would take
   * after it.
   */
  directories?: string[];
  /** `containerd config dump`, where it works. */
  dump?: string;
  /** Paths that our own record on the node says are ours, with the digest of what we last wrote. */
  owned: Record<string, string>;
}

export interface ObservedFile {
  /** UTF-8 text; undefined for a binary, a too large file, or a link that points outside. */
  text?: string;
  mode: number;
  /** Set when the path is a symbolic link. */
  linkTarget?: string;
}

/** Where settings go instead of into the main configuration. */
export interface ObservedDropIns {
  /** Our file; imported once it is there. */
  path: string;
  /**
   * Set where drop-ins are merged table by table into this file before a containerd 1.x reads them, which would take the
   * last file's table alone.
   */
  copiedTo?: string;
  /** Set where the drop-in is of version 2, to the release of the program running containerd that refuses it. */
  refusesVersion2?: string;
}
