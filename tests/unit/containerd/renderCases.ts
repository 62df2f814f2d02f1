import type { DesiredHost, DesiredMirror, HostAccess } from "../../../provider/containerd/desired";
import { managedComment } from "../../../provider/containerd/render/hostsToml";

export const dir = "/etc/containerd/certs.d";

interface MirrorCase {
  ca?: boolean;
  credential?: boolean;
  insecure?: boolean;
  dialTimeout?: number;
}

/** A mirror as the SDK makes it: the CA's path and the credential's key follow from its HOST:PORT. */
export function mirror(endpoint: string, options: MirrorCase = {}): DesiredMirror {
  const authority = endpoint.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return {
    endpoint,
    ...(options.ca === true ? { caPath: `${dir}/${authority}/ca.crt` } : {}),
    ...(options.credential === true ? { credential: authority } : {}),
    ...(options.insecure === true ? { insecure: true } : {}),
    ...(options.dialTimeout === undefined ? {} : { dialTimeout: options.dialTimeout }),
  };
}

export function host(name: string, mirrors: DesiredMirror[], skipFallback = false): DesiredHost {
  return { host: name, mirrors, skipFallback };
}

/** Adds what a private registry is asked with, as the SDK makes it. */
export function direct(one: DesiredHost, options: { ca?: boolean; credential?: boolean }): DesiredHost {
  const access: HostAccess = {
    ...(options.ca === true ? { caPath: `${dir}/${one.host}/ca.crt` } : {}),
    ...(options.credential === true
      ? { credential: one.host === "docker.io" ? "registry-1.docker.io" : one.host }
      : {}),
  };
  return { ...one, access };
}

export interface RenderCase {
  name: string;
  hosts: DesiredHost[];
  /** Path below the hosts directory -> text below the first line. */
  files: Record<string, string>;
}

export const pem = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";

/** From arguments to the exact text; each meaning of issue 5, point 2. */
export const renderCases: RenderCase[] = [
  {
    name: "C2: HOST:PORT without a namespace",
    hosts: [host("gcr.io", [mirror("https://172.18.0.20:5000")])],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://172.18.0.20:5000"]
  capabilities = ["pull", "resolve"]
`,
      "172.18.0.20:5000/hosts.toml": `server = "https://172.18.0.20:5000"

[host."https://172.18.0.20:5000"]
`,
    },
  },
  {
    name: "C2, C8: a namespace, a CA and a credential",
    hosts: [host("gcr.io", [mirror("https://172.18.0.20:5000/v2/test-namespace", { ca: true, credential: true })])],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://172.18.0.20:5000/v2/test-namespace"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/containerd/certs.d/172.18.0.20:5000/ca.crt"
  [host."https://172.18.0.20:5000/v2/test-namespace".header]
    Authorization = "{{credential 172.18.0.20:5000}}"
`,
      // The image's name holds the namespace here (172.18.0.20:5000/test-namespace/a/b:1), so the path must not.
      "172.18.0.20:5000/hosts.toml": `server = "https://172.18.0.20:5000"
ca = "/etc/containerd/certs.d/172.18.0.20:5000/ca.crt"

[header]
  Authorization = "{{credential 172.18.0.20:5000}}"

[host."https://172.18.0.20:5000"]
  ca = "/etc/containerd/certs.d/172.18.0.20:5000/ca.crt"
  [host."https://172.18.0.20:5000".header]
    Authorization = "{{credential 172.18.0.20:5000}}"
`,
      "172.18.0.20:5000/ca.crt": pem,
    },
  },
  {
    name: "C1: several mirrors in order, the public host last",
    hosts: [host("somehost.io", [mirror("https://a.example:5000"), mirror("https://b.example/v2/ns")])],
    files: {
      "somehost.io/hosts.toml": `server = "https://somehost.io"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]

[host."https://b.example/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
      "b.example/hosts.toml": `server = "https://b.example"

[host."https://b.example"]
`,
    },
  },
  {
    name: "skipFallback with one mirror: it stands twice, so that no release before 1.7.32 refuses the file and goes upstream",
    hosts: [host("gcr.io", [mirror("https://a.example:5000/v2/ns", { ca: true, credential: true })], true)],
    files: {
      "gcr.io/hosts.toml": `server = "https://a.example:5000/v2/ns"
capabilities = ["pull", "resolve"]
override_path = true
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[header]
  Authorization = "{{credential a.example:5000}}"

[host."https://a.example:5000/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
  [host."https://a.example:5000/v2/ns".header]
    Authorization = "{{credential a.example:5000}}"
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[header]
  Authorization = "{{credential a.example:5000}}"

[host."https://a.example:5000"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
  [host."https://a.example:5000".header]
    Authorization = "{{credential a.example:5000}}"
`,
      "a.example:5000/ca.crt": pem,
    },
  },
  {
    name: "skipFallback with two mirrors: each once, the last one as server",
    hosts: [host("gcr.io", [mirror("https://a.example:5000"), mirror("https://b.example:5000")], true)],
    files: {
      "gcr.io/hosts.toml": `server = "https://b.example:5000"
capabilities = ["pull", "resolve"]

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
      "b.example:5000/hosts.toml": `server = "https://b.example:5000"

[host."https://b.example:5000"]
`,
    },
  },
  {
    name: "insecure: https without checking the certificate",
    hosts: [host("gcr.io", [mirror("https://a.example:5000", { insecure: true })])],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
  skip_verify = true
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
skip_verify = true

[host."https://a.example:5000"]
  skip_verify = true
`,
    },
  },
  {
    name: "an http endpoint: no skip_verify beside it, which would make containerd try TLS first",
    hosts: [host("gcr.io", [mirror("http://a.example:5000/v2/ns", { insecure: true })])],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."http://a.example:5000/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
`,
      "a.example:5000/hosts.toml": `server = "http://a.example:5000"

[host."http://a.example:5000"]
`,
    },
  },
  {
    name: "IPv6: the mirror's address and a public host's, in brackets",
    hosts: [host("[2001:db8::1]:5000", [mirror("https://[::1]:5000/v2/ns", { ca: true })])],
    files: {
      "[2001:db8::1]:5000/hosts.toml": `server = "https://[2001:db8::1]:5000"

[host."https://[::1]:5000/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/containerd/certs.d/[::1]:5000/ca.crt"
`,
      "[::1]:5000/hosts.toml": `server = "https://[::1]:5000"
ca = "/etc/containerd/certs.d/[::1]:5000/ca.crt"

[host."https://[::1]:5000"]
  ca = "/etc/containerd/certs.d/[::1]:5000/ca.crt"
`,
      "[::1]:5000/ca.crt": pem,
    },
  },
  {
    name: "_default: every host that is not listed, whose own server containerd knows",
    hosts: [host("_default", [mirror("https://a.example:5000")])],
    files: {
      "_default/hosts.toml": `
[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
    },
  },
  {
    name: "docker.io: its server is registry-1.docker.io",
    hosts: [host("docker.io", [mirror("https://a.example:5000/v2/hub")])],
    files: {
      "docker.io/hosts.toml": `server = "https://registry-1.docker.io"

[host."https://a.example:5000/v2/hub"]
  capabilities = ["pull", "resolve"]
  override_path = true
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
    },
  },
  {
    name: "a public host with a port",
    hosts: [host("otherhost.io:8443", [mirror("https://a.example:5000")])],
    files: {
      "otherhost.io:8443/hosts.toml": `server = "https://otherhost.io:8443"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
    },
  },
  {
    name: "a path of /v2 alone, which containerd would add by itself",
    hosts: [host("gcr.io", [mirror("https://a.example:5000/v2")])],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://a.example:5000/v2"]
  capabilities = ["pull", "resolve"]
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
    },
  },
  {
    name: "C14: a private registry with CA and credential, on its own",
    hosts: [direct(host("172.18.0.30:5007", []), { ca: true, credential: true })],
    files: {
      "172.18.0.30:5007/hosts.toml": `server = "https://172.18.0.30:5007"
ca = "/etc/containerd/certs.d/172.18.0.30:5007/ca.crt"

[header]
  Authorization = "{{credential 172.18.0.30:5007}}"

[host."https://172.18.0.30:5007"]
  ca = "/etc/containerd/certs.d/172.18.0.30:5007/ca.crt"
  [host."https://172.18.0.30:5007".header]
    Authorization = "{{credential 172.18.0.30:5007}}"
`,
      "172.18.0.30:5007/ca.crt": pem,
    },
  },
  {
    name: "C14: private registries with one of the two: an IPv6 address, Docker Hub by its server's name, a local one",
    hosts: [
      direct(host("[2001:db8::1]:5007", []), { ca: true }),
      direct(host("docker.io", []), { credential: true }),
      direct(host("127.0.0.1:5007", []), { ca: true }),
    ],
    files: {
      "[2001:db8::1]:5007/hosts.toml": `server = "https://[2001:db8::1]:5007"
ca = "/etc/containerd/certs.d/[2001:db8::1]:5007/ca.crt"

[host."https://[2001:db8::1]:5007"]
  ca = "/etc/containerd/certs.d/[2001:db8::1]:5007/ca.crt"
`,
      "[2001:db8::1]:5007/ca.crt": pem,
      "docker.io/hosts.toml": `server = "https://registry-1.docker.io"

[header]
  Authorization = "{{credential registry-1.docker.io}}"

[host."https://registry-1.docker.io"]
  [host."https://registry-1.docker.io".header]
    Authorization = "{{credential registry-1.docker.io}}"
`,
      "127.0.0.1:5007/hosts.toml": `server = "https://127.0.0.1:5007"
ca = "/etc/containerd/certs.d/127.0.0.1:5007/ca.crt"

[host."https://127.0.0.1:5007"]
  ca = "/etc/containerd/certs.d/127.0.0.1:5007/ca.crt"
`,
      "127.0.0.1:5007/ca.crt": pem,
    },
  },
  {
    name: "C14: a private registry that is mirrored too: behind the mirror, with its own CA and credential",
    hosts: [
      direct(host("private.example", [mirror("https://a.example:5000", { ca: true })]), { ca: true, credential: true }),
    ],
    files: {
      "private.example/hosts.toml": `server = "https://private.example"
ca = "/etc/containerd/certs.d/private.example/ca.crt"

[header]
  Authorization = "{{credential private.example}}"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
`,
      "private.example/ca.crt": pem,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[host."https://a.example:5000"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
`,
      "a.example:5000/ca.crt": pem,
    },
  },
  {
    name: "C14: a private registry that is the mirror itself, with the same CA: the mirror's own file says it already",
    hosts: [
      host("gcr.io", [mirror("https://a.example:5000/v2/ns", { ca: true, credential: true })]),
      direct(host("a.example:5000", []), { ca: true }),
    ],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://a.example:5000/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
  [host."https://a.example:5000/v2/ns".header]
    Authorization = "{{credential a.example:5000}}"
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[header]
  Authorization = "{{credential a.example:5000}}"

[host."https://a.example:5000"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
  [host."https://a.example:5000".header]
    Authorization = "{{credential a.example:5000}}"
`,
      "a.example:5000/ca.crt": pem,
    },
  },
  {
    name: "C15: how long to wait for a mirror, in its own table; the mirror's own name has nothing behind it",
    hosts: [
      host("gcr.io", [
        mirror("https://a.example:5000/v2/ns", { ca: true, dialTimeout: 1 }),
        mirror("http://b.example:5000", { dialTimeout: 0.25 }),
      ]),
    ],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://a.example:5000/v2/ns"]
  capabilities = ["pull", "resolve"]
  override_path = true
  dial_timeout = "1s"
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[host."http://b.example:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "250ms"
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[host."https://a.example:5000"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
`,
      "a.example:5000/ca.crt": pem,
      "b.example:5000/hosts.toml": `server = "http://b.example:5000"

[host."http://b.example:5000"]
`,
    },
  },
  {
    name: "C15: how long to wait for a mirror that is asked last, as server",
    hosts: [host("gcr.io", [mirror("https://a.example:5000", { dialTimeout: 2.5 })], true)],
    files: {
      "gcr.io/hosts.toml": `server = "https://a.example:5000"
capabilities = ["pull", "resolve"]
dial_timeout = "2500ms"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
  dial_timeout = "2500ms"
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"

[host."https://a.example:5000"]
`,
    },
  },
  {
    name: "a mirror that is itself a mirrored host: its own server keeps its CA and credential",
    hosts: [
      host("gcr.io", [mirror("https://a.example:5000", { ca: true, credential: true })]),
      host("a.example:5000", [mirror("https://b.example:5000")]),
    ],
    files: {
      "gcr.io/hosts.toml": `server = "https://gcr.io"

[host."https://a.example:5000"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"
  [host."https://a.example:5000".header]
    Authorization = "{{credential a.example:5000}}"
`,
      "a.example:5000/hosts.toml": `server = "https://a.example:5000"
ca = "/etc/containerd/certs.d/a.example:5000/ca.crt"

[header]
  Authorization = "{{credential a.example:5000}}"

[host."https://b.example:5000"]
  capabilities = ["pull", "resolve"]
`,
      "a.example:5000/ca.crt": pem,
      "b.example:5000/hosts.toml": `server = "https://b.example:5000"

[host."https://b.example:5000"]
`,
    },
  },
];

/** What a case's file is to be, first line included. */
export function expectedFiles(one: RenderCase): Record<string, string> {
  return Object.fromEntries(
    Object.entries(one.files).map(([path, text]) => [
      `${dir}/${path}`,
      path.endsWith("hosts.toml") ? `${managedComment}\n${text}` : text,
    ]),
  );
}

export function casOf(hosts: DesiredHost[]): Record<string, string> {
  const paths = hosts.flatMap((one) => [...one.mirrors.map((m) => m.caPath), one.access?.caPath]);
  return Object.fromEntries(paths.flatMap((path) => (path === undefined ? [] : [[path, pem]])));
}
