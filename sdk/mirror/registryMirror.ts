import * as pulumi from "@pulumi/pulumi";

import type { Credentials, DesiredHost } from "../../provider/containerd/desired";
import type { EndpointSeen } from "../../provider/registry/push/pushResult";
import { requireArguments } from "../../provider/resources/arguments/resolved";
import { resolveCredentials } from "../../provider/resources/mirror/credentials";
import type { DeclaredMirror, DeclaredPrivateRegistry } from "../../provider/resources/mirror/declared";
import { secretsOnly, withoutSecrets } from "../../provider/resources/mirror/declared";
import { resolveHosts } from "../../provider/resources/mirror/hosts";
import { registryMirrorNames } from "../../provider/resources/mirror/names";
import { endpointsOf, resolveCheckEndpoints, resolveHostsDir } from "../../provider/resources/mirror/settings";
import { shapes } from "../../provider/resources/mirror/shapes";
import type { MirrorWire } from "../../provider/resources/mirror/wire";
import type { LiftedWire } from "../lifted";
import { checkNames } from "../names";
import { plainErrors, problemsInput } from "../problems";
import { MirrorResource } from "../resource";
import { rememberEndpoints } from "./endpointsSeen";

/** One mirror, with the fields of bmctl's `registryMirrors` and a few more. */
export interface MirrorArgs {
  /**
   * `https://HOST:PORT`, or `https://HOST:PORT/v2/NAMESPACE`. `http://` is possible. A change replaces RegistryMirror,
   * new first; nodes are updated in place, without a restart.
   */
  endpoint: pulumi.Input<string>;
  /**
   * Path on the machine that runs Pulumi of the CA certificate (PEM) of the mirror; carried to the nodes. Excludes
   * `caCert`.
   */
  caCertPath?: pulumi.Input<string>;
  /** The same as text. */
  caCert?: pulumi.Input<string>;
  /**
   * Path on the machine that runs Pulumi of a Docker `config.json` with an entry for the mirror. Excludes
   * `username`/`password`.
   */
  pullCredentialConfigPath?: pulumi.Input<string>;
  /** With `password`: what the nodes pull with. */
  username?: pulumi.Input<string>;
  /** Always kept as a secret. */
  password?: pulumi.Input<string>;
  /**
   * Public registry hosts, with a port where they have one, that are mirrored here. gcr.io always is, unlisted: by
   * every mirror in order, unless some mirror lists it. Several mirrors of one host are asked in the order of the list.
   * `_default` stands for every host that has no entry of its own.
   */
  hosts?: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Never ask the public registry for this mirror's hosts. Default false: mirror first, the public registry next. All
   * mirrors of a host must agree.
   */
  skipFallback?: pulumi.Input<boolean>;
  /** Nodes accept any TLS certificate of the mirror. Default false. */
  insecure?: pulumi.Input<boolean>;
  /**
   * Seconds (0.01 to 30) that a node waits for a connection to this mirror before it asks the next mirror or the
   * public registry: a mirror that drops packets costs this much for each request of a pull. Default 1 where
   * something is behind the mirror: another one of the same host, or the public registry. Without that, containerd's
   * own 30. Give 3 or more where packets get lost on the way or connections take long, 30 to have it as containerd
   * does by itself. Works from containerd 2.0.7 on, and in hosts.toml files; see docs/outages.md for older ones. A
   * change is made in place, without a restart. Errors: DIAL_TIMEOUT_INVALID.
   */
  dialTimeout?: pulumi.Input<number>;
}

/**
 * A registry that nodes pull from directly, with the fields of bmctl's `privateRegistries` and a few more: its
 * CA, credentials for it, or both. Nothing is mirrored. A host that is mirrored as well is asked with these behind
 * its mirrors.
 */
export interface PrivateRegistryArgs {
  /**
   * As it stands in image names: `registry.example:5007`, without scheme and path; always https. A change is made in
   * place. Errors: HOST_INVALID.
   */
  host: pulumi.Input<string>;
  /**
   * Path on the machine that runs Pulumi of the registry's CA certificate (PEM); carried to the nodes. Excludes
   * `caCert`.
   */
  caCertPath?: pulumi.Input<string>;
  /** The same as text. */
  caCert?: pulumi.Input<string>;
  /**
   * Path on the machine that runs Pulumi of a Docker `config.json` with an entry for the registry. Excludes
   * `username`/`password`.
   */
  pullCredentialConfigPath?: pulumi.Input<string>;
  /**
   * With `password`: what the nodes pull with, for every pod. Where they stand in config.toml (a registry that hands
   * out tokens, containerd before 2.1) a pod's own pull secret takes their place; elsewhere they are sent whatever
   * the pod brings.
   */
  username?: pulumi.Input<string>;
  /** Always kept as a secret. */
  password?: pulumi.Input<string>;
}

/** Which mirrors the nodes ask, with which CA and credentials. */
export interface RegistryMirrorArgs {
  /** The mirrors, in order. May be empty where there are private registries. */
  registryMirrors: MirrorArgs[];
  /**
   * Registries that nodes pull from directly, with their CA and credentials. A change is made in place; without
   * a restart, except for credentials of one that asks for a token, on containerd before 2.1. Errors: HOST_INVALID,
   * PRIVATE_REGISTRY_EMPTY (neither CA nor credentials), MIRRORS_CONFLICT (a host twice, mirrored with
   * `skipFallback`, or a mirror with another CA or other credentials).
   */
  privateRegistries?: PrivateRegistryArgs[];
  /**
   * Path of a Google service-account key (JSON) with which nodes pull from gcr.io what the mirror lacks. Without it
   * they have no such credentials. There is no such thing for other registries.
   */
  gcrKeyPath?: pulumi.Input<string>;
  /** The same as text; always kept as a secret. Excludes `gcrKeyPath`. */
  gcrKey?: pulumi.Input<string>;
  /** containerd's hosts directory on the nodes. Default `/etc/containerd/certs.d`. */
  hostsDir?: pulumi.Input<string>;
  /**
   * Ask each endpoint and private registry once from the machine that runs Pulumi, so that a wrong CA or password is
   * found before any node is touched. Default true; false where only the nodes can reach them.
   */
  checkEndpoints?: pulumi.Input<boolean>;
}

/**
 * What the nodes' containerd is to do: which mirror for which public host, with which CA and credentials. Declared
 * once, given to any number of NodeContainerd. A preview shows every line of every file that goes to the nodes.
 *
 * @group Resources
 */
export class RegistryMirror extends MirrorResource {
  /** By host: its mirrors in order, and how a private registry is asked. */
  declare readonly hosts: pulumi.Output<DesiredHost[]>;
  /** Path on the node -> text. Where credentials go stands a placeholder. */
  declare readonly files: pulumi.Output<Record<string, string>>;
  /** SHA-256 over hosts and files, hex; does not depend on credentials. */
  declare readonly fingerprint: pulumi.Output<string>;
  /** What was seen of each endpoint: whether and how it asks for credentials. */
  declare readonly endpoints: pulumi.Output<EndpointSeen[]>;
  /** Secret: by the host that is asked, user and password. */
  declare readonly credentials: pulumi.Output<Credentials>;
  /** containerd's hosts directory on the nodes. */
  declare readonly hostsDir: pulumi.Output<string>;

  constructor(name: string, args: RegistryMirrorArgs, opts?: pulumi.CustomResourceOptions) {
    plainErrors(() => requireArguments(args, shapes.required, "RegistryMirror"));
    const { registryMirrors, privateRegistries = [], gcrKeyPath, gcrKey } = args;
    const names = checkNames(args, registryMirrorNames);
    const hostsDir = pulumi.output(args.hostsDir).apply(resolveHostsDir);
    const checkEndpoints = pulumi.output(args.checkEndpoints).apply(resolveCheckEndpoints);
    const mirrors = lifted<DeclaredMirror>(registryMirrors.map((one) => withoutSecrets("registryMirrors", one)));
    const direct = lifted<DeclaredPrivateRegistry>(
      privateRegistries.map((one) => withoutSecrets("privateRegistries", one)),
    );
    const hosts = pulumi
      .all([mirrors, hostsDir, direct])
      .apply(([declared, { value: dir }, registries]) => resolveHosts(declared, dir, registries));
    const credentials = pulumi
      .output({
        registryMirrors: lifted<DeclaredMirror>(registryMirrors.map((one) => secretsOnly("registryMirrors", one))),
        privateRegistries: lifted<DeclaredPrivateRegistry>(
          privateRegistries.map((one) => secretsOnly("privateRegistries", one)),
        ),
        gcrKeyPath,
        gcrKey,
      })
      .apply(resolveCredentials);
    const wire: LiftedWire<MirrorWire> = {
      mirrors: mirrors.apply((declared) => endpointsOf(declared).mirrors),
      insecure: mirrors.apply((declared) => endpointsOf(declared).insecure),
      hosts: hosts.apply(({ value }) => value?.hosts),
      files: hosts.apply(({ value }) => value?.files),
      fingerprint: hosts.apply(({ value }) => value?.fingerprint),
      credentials: pulumi.secret(credentials.apply(({ value }) => value ?? {})),
      hostsDir: hostsDir.apply(({ value }) => value),
      checkEndpoints: checkEndpoints.apply(({ value }) => value),
    };
    // They never hold a secret, but they are derived from one; Pulumi would hide them.
    const problems = pulumi.unsecret(
      problemsInput(names.now, ...names.later, hosts, credentials, hostsDir, checkEndpoints),
    );
    super("RegistryMirror", "registryMirror", name, { ...wire, endpoints: undefined, problems }, opts);
    rememberEndpoints(this.endpoints, wire);
  }

  /** Whether a value is a RegistryMirror, also one of another copy of this package. */
  static override isInstance(value: unknown): value is RegistryMirror {
    return MirrorResource.isType(value, "RegistryMirror");
  }
}

/** Entries whose values are known once Pulumi knows them. */
function lifted<T>(entries: readonly object[]): pulumi.Output<T[]> {
  return pulumi.output(entries) as unknown as pulumi.Output<T[]>;
}
