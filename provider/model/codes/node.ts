import type { CodeText } from "./codeText";

/** Between this machine and a node, and on the node. */
export const nodeCodes = {
  NODE_UNREACHABLE: {
    cause: "There is no SSH connection to the node: name, port, network or time. Nothing was touched.",
    wayOut: "Check the address and the network; for a node that is gone for good set forgetUnreachable: true.",
  },
  NODE_LOST: {
    cause: "The connection to the node broke in the middle. The node undoes an unfinished change by itself.",
    wayOut: "Run again.",
  },
  NODE_AUTH: {
    cause: "The node does not let the user in.",
    wayOut: "Check the user, and that its key or password is the one the node knows.",
  },
  NODE_KEY: {
    cause: "The private key or the SSH settings cannot be used.",
    wayOut: "Give one private key, in the form and with the password that the error asks for.",
  },
  NODE_HOST_KEY_UNKNOWN: {
    cause: "The node's host key is not among those that are known for it.",
    wayOut: "Compare its fingerprint on the node, then give it as hostKey or add it to the known hosts.",
  },
  NODE_HOST_KEY_MISMATCH: {
    cause: "The node shows another host key, or certificate, than the one that is known for it.",
    wayOut: "Find out why before you connect: a new installation, or another machine at this address.",
  },
  NODE_HOST_KEY_REVOKED: {
    cause: "The node's host key is marked as revoked.",
    wayOut: "Do not connect before the node has a new host key.",
  },
  NODE_KNOWN_HOSTS: {
    cause: "hostKey or the known hosts cannot be read, or are both given.",
    wayOut: "Give one of them, with lines as ssh-keyscan prints them.",
  },
  NODE_SUDO: {
    cause: "The user cannot become root on the node.",
    wayOut: "Allow sudo for the user, with sudoPassword or without a password.",
  },
  NODE_SHELL: {
    cause: "The user's shell on the node does not run commands.",
    wayOut: "Give the user a login shell, such as /bin/sh.",
  },
  NODE_FORWARDING: {
    cause: "The bastion does not forward connections to the node.",
    wayOut: "Set AllowTcpForwarding and PermitOpen in the bastion's sshd_config.",
  },
  NODE_LOOK_PROBLEM: {
    cause: 'A look at the node found what an update would fail on, and look.onProblem is "error".',
    wayOut: 'Mend what the lines below the error name, or set look.onProblem to "warn".',
  },
  NODE_LAYOUT: {
    cause: "The layout names other files than the node's containerd runs with, or a kind of node that it is not.",
    wayOut: "Give the paths that the error names, or the unit that is meant (docs/nodes.md).",
  },
  NODE_LAYOUT_AMBIGUOUS: {
    cause: "Two programs that bring a containerd run on the node, or would at its next boot.",
    wayOut: "Name the one that Kubernetes uses as layout, or disable the other (docs/nodes.md).",
  },
  NODE_NO_CONTAINERD: {
    cause: "containerd is not installed on the node, or not as a systemd unit.",
    wayOut: "Install it first; this provider only configures it.",
  },
  NODE_CONTAINERD_DOWN: {
    cause: "containerd does not run on the node, or is masked.",
    wayOut: "Start it there (systemctl start containerd), and run again.",
  },
  NODE_NO_SYSTEMD: {
    cause: "systemd does not run on the node.",
    wayOut: "A node with another init cannot be configured here.",
  },
  NODE_TOOL: {
    cause: "A program is missing on the node.",
    wayOut: "Install it (flock: util-linux).",
  },
  NODE_LOCKED: {
    cause: "Another program is changing the node.",
    wayOut: "Run again when it has finished.",
  },
  NODE_OWNED: {
    cause: "The node's configuration belongs to another resource, or to another stack.",
    wayOut: "Destroy it there first, or take it over as the error says (docs/on-a-node.md).",
  },
  NODE_STATE: {
    cause: "What this provider keeps in /var/lib/registry-mirror on the node cannot be used.",
    wayOut: "Use the version that wrote it, or move it away as the error says.",
  },
  NODE_CHANGED: {
    cause: "A file changed between being read and being replaced. Nothing was changed by us.",
    wayOut: "Run again, to plan on what is there now.",
  },
  NODE_SYMLINK: {
    cause: "A path on the node is a symbolic link, and nothing is written through links.",
    wayOut: "Replace it by what it stands for, or name the real directory as hostsDir.",
  },
  NODE_DISK_FULL: {
    cause: "The node has no space left. Nothing was changed.",
    wayOut: "Free some space (df -h /etc /var/lib), and run again.",
  },
  NODE_READ_ONLY: {
    cause: "A file system of the node is read-only. Nothing was changed.",
    wayOut: "Remount it writable, or look for why it went read-only (dmesg).",
  },
  NODE_FILES: {
    cause: "A file of the node cannot be read or written.",
    wayOut: "Correct on the node what the error names.",
  },
  NODE_CONFIG_REFUSED: {
    cause: "containerd does not accept the new configuration. Nothing was changed.",
    wayOut: "Look at what it says: mostly another line of the same file is wrong.",
  },
  NODE_RESTART: {
    cause: "containerd did not start again; what was there before has been put back.",
    wayOut: "Look at journalctl -u containerd on the node.",
  },
  NODE_CRI: {
    cause: "containerd's CRI does not answer as it should.",
    wayOut: "Look at journalctl -u containerd on the node.",
  },
  NODE_UNDO: {
    cause: "Putting back what was there failed; the journal stays on the node.",
    wayOut: "Correct what the error names; the next run goes on with the journal.",
  },
  NODE_OUTPUT: {
    cause: "The node prints more than is read.",
    wayOut: "Look at the start-up files of the user's shell there.",
  },
  NODE_PROTOCOL: {
    cause: "The node's answer is not what our program there prints.",
    wayOut: "Look at the start-up files of the user's shell there, then run again.",
  },
  NODE_TIMEOUT: {
    cause: "A step on the node took too long.",
    wayOut: "Look at the node's load, then run again.",
  },
  NODE_ABORTED: {
    cause: "The operation was interrupted.",
    wayOut: "Run again; the node undoes an unfinished change by itself.",
  },
} as const satisfies Record<string, CodeText>;

/** NodeContainerd: what is declared, and what is verified. */
export const nodeResourceCodes = {
  IGNORE_CHANGES: {
    cause: "ignoreChanges names only one of mirror and files, which say the same in two ways.",
    wayOut: "Name both, or neither.",
  },
  DECLARATION_UNKNOWN: {
    cause: "ignoreChanges names mirror and files, so what stands in them is not known in this step.",
    wayOut: "Take them out of it, or set hold: true to leave the node as it is.",
  },
  NODE_TWICE: {
    cause: "Two resources of one program declare one node, and would undo each other's work.",
    wayOut: "Take one of them out.",
  },
  VERIFICATION_FAILED: {
    cause: "The node does not pull through the mirror. It has been given back what it had.",
    wayOut: 'Correct what the lines below the error name; verify.onFailure: "warn" would keep the change.',
  },
  PREPULL_FAILED: {
    cause:
      'Some images could not be pulled to the node ahead of the pods, and prepull.onFailure is "error". The node is configured and verified, and stays so.',
    wayOut:
      'Push them, or correct what the lines below the error name, and run pulumi up again, which pulls what is missing; prepull.onFailure: "warn" goes on without them.',
  },
  COVERAGE_GAPS: {
    cause:
      'Some images on the node would not come from the mirror, and verify.coverage is "error". Nothing was changed.',
    wayOut:
      'Push them, mirror their hosts, or take them off the node, as the lines below the error say; verify.coverage: "warn" goes on with them.',
  },
  VERIFY_IMAGE_UNKNOWN: {
    cause: "verify.images names an image that was not pushed.",
    wayOut: "Name an image as the push set lists it.",
  },
  VERIFY_TEXT: {
    cause: "verify in the state is not what was written there.",
    wayOut: "Run pulumi up with verify: false, then as before.",
  },
} as const satisfies Record<string, CodeText>;
