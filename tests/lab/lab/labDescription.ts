import type { CertificateAuthority } from "./certificates";
import type { ImagePackages } from "./imagePackages";
import type { RegistryDescription } from "./registry";
import type { Release } from "./release";
import type { ClientKeys } from "./sshKeys";

/** One node as plain data. */
export interface NodeDescription {
  readonly name: string;
  /** Number within the lab, from 1: the last part of the address. */
  readonly index: number;
  readonly release: Release;
  readonly containerdVersion: string;
  readonly address: string;
  readonly port: number;
  /** "ssh-ed25519 AAAA...": what a program gives as hostKey. */
  readonly hostKey: string;
  /** "SHA256:..." as ssh-keygen prints it. */
  readonly hostKeyFingerprint: string;
  readonly folder: string;
  readonly tree: string;
  readonly group: string;
}

/** The ways to log in, the same on every node. */
export interface LabUsers {
  /** Key only. */
  readonly root: { readonly name: "root" };
  /** Key only, sudo without a password. */
  readonly admin: { readonly name: "admin" };
  /** Password only, sudo without a password. */
  readonly deploy: {
    readonly name: "deploy";
    readonly password: string;
    /** The password as /etc/shadow has it. */
    readonly shadow: string;
  };
  /** Key only, no sudo. */
  readonly guest: { readonly name: "guest" };
}

/** A lab as plain data: what `status` prints, and what another process needs to use it. */
export interface LabDescription {
  readonly instance: number;
  readonly runDir: string;
  readonly keys: ClientKeys;
  /** known_hosts with every node's key. */
  readonly knownHostsPath: string;
  readonly users: LabUsers;
  /** Signs the private registries; no node trusts it. */
  readonly privateAuthority: CertificateAuthority;
  /** Signs the registry that plays the public hosts; every node trusts it, as it would a public one. */
  readonly publicAuthority: CertificateAuthority;
  readonly publicHosts: readonly string[];
  readonly nodes: readonly NodeDescription[];
  readonly registries: readonly RegistryDescription[];
  readonly packages: ImagePackages;
}
