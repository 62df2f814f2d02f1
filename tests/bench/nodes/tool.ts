/** A node as a tool is told of it. */
export interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
}

/** What the nodes' containerd is to do, the same for both tools. */
export interface Wanted {
  /** `https://HOST:PORT/v2/NAMESPACE`. */
  readonly endpoint: string;
  /** The endpoint's HOST:PORT. */
  readonly mirror: string;
  readonly publicHosts: readonly string[];
  readonly caCertPath: string;
  readonly username: string;
  readonly password: string;
}

/** Turns a command into one that runs where its CPU time can be told and nothing of it is left behind. */
export type Wrap = (command: readonly string[]) => string[];

/** One way to configure nodes. */
export interface Tool {
  readonly name: "ours" | "ansible";
  /** With versions. */
  readonly description: string;
  /** As on a machine that has never seen these nodes. */
  begin(targets: readonly Target[]): Promise<void>;
  /** Brings all nodes to what is wanted; gives the seconds that the whole command took. @throws when it fails */
  run(wanted: Wanted): Promise<number>;
  /**
   * Ends what the command left behind (Ansible's SSH masters): the next run begins with no connection open, as one does
   * a day later.
   */
  end(): Promise<void>;
}
