import type { Credentials, DesiredHost } from "../../containerd/desired";

/**
 * RegistryMirror's arguments as the program sends them: the one shape that both sides of the wire share. They are the
 * resource's inputs as they are.
 */
export interface MirrorWire {
  /** Endpoints in order; a change of these replaces. */
  mirrors: string[];
  /** Those of them whose certificate is not checked. */
  insecure?: string[];
  hosts: DesiredHost[];
  files: Record<string, string>;
  fingerprint: string;
  /** Secret. */
  credentials: Credentials;
  hostsDir: string;
  checkEndpoints: boolean;
}
