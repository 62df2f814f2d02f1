import type { CodeText } from "./codeText";

/** RegistryMirror: what is declared, and whether the registries answer as nodes need it. */
export const mirrorCodes = {
  MIRRORS_EMPTY: {
    cause: "No mirror and no private registry is declared.",
    wayOut: "Name at least one mirror with its endpoint, or a private registry.",
  },
  MIRRORS_CONFLICT: {
    cause: "Two declarations contradict each other on one host, or one registry has two CAs or credentials.",
    wayOut: "Make them the same, or leave one of them out.",
  },
  HOSTS_DIR_INVALID: {
    cause: "hostsDir is not an absolute path that containerd can take.",
    wayOut: "Leave it out, or give an absolute path without blanks and colons.",
  },
  HOST_INVALID: {
    cause: "The host of a private registry is not written as it stands in image names.",
    wayOut: "Write HOST or HOST:PORT, without a scheme and a path.",
  },
  PRIVATE_REGISTRY_EMPTY: {
    cause: "A private registry has neither a CA nor credentials, so there is nothing to write for it.",
    wayOut: "Leave it out, or give it caCertPath or pullCredentialConfigPath.",
  },
  DIAL_TIMEOUT_INVALID: {
    cause: "dialTimeout is no time that containerd can wait.",
    wayOut: "Write a number of seconds, such as 1 or 0.5.",
  },
  GCR_KEY_INVALID: {
    cause: "gcrKey, or the file of gcrKeyPath, is no service-account key.",
    wayOut: "Give the JSON key file as Google Cloud hands it out.",
  },
  MIRROR_UNUSABLE: {
    cause: "A registry does not answer as the nodes need it. No node has been touched.",
    wayOut: "Correct what the error names; where only nodes can reach the registry, set checkEndpoints: false.",
  },
} as const satisfies Record<string, CodeText>;
