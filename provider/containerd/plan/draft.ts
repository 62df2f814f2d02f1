import type { ConfigStyle, DesiredRegistry } from "../desired";
import type { ObservedNode } from "../observed";
import type { ConfigFiles } from "../read/configFiles";
import type { CriSettings } from "../read/criSettings";
import type { TomlEdit } from "../toml/editToml";
import type { ContainerdVersion } from "../version";
import type { PlanNote } from "./planNote";

/** What the drafts are made from. `config` and `settings` are the node's own, without our marked tables. */
export interface DraftInput {
  observed: ObservedNode;
  desired: DesiredRegistry;
  version: ContainerdVersion;
  config: ConfigFiles;
  settings: CriSettings;
  /** `config_path` in effect now, our own included; "" for none. */
  configPath: string;
  /** True when `mirrors` of config.toml are in use now, our own included. */
  mirrorsNow: boolean;
}

/** What a style wants of a node, before it is compared with what is there. */
export interface Draft {
  style: ConfigStyle;
  /** Texts with placeholders, by path. */
  files: Map<string, DraftFile>;
  /**
   * Edits of config files, by path: all tables of ours that are wanted there, whether they are there already or not.
   */
  edits: Map<string, TomlEdit[]>;
  notes: PlanNote[];
  /** containerd needs a restart, although none of its files is written here. */
  restart?: true;
  /** Edits that its owner makes at that restart. */
  pending?: Map<string, TomlEdit[]>;
  /** Hosts directory that is in use afterwards. */
  hostsDir?: string;
}

export interface DraftFile {
  text: string;
  /** Set for a copy of a foreign file, whose mode is kept. */
  mode?: number;
  /** Its owner has to be restarted for it. */
  restart?: true;
}
