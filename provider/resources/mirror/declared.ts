/** A mirror as declared, once its values are known. */
export interface DeclaredMirror extends DeclaredCredential {
  endpoint: string;
  caCert?: string;
  caCertPath?: string;
  hosts?: string[];
  skipFallback?: boolean;
  insecure?: boolean;
  dialTimeout?: number;
}

/** A private registry as declared, once its values are known. */
export interface DeclaredPrivateRegistry extends DeclaredCredential {
  host: string;
  caCert?: string;
  caCertPath?: string;
}

/** With what one of them is asked. */
export interface DeclaredCredential {
  pullCredentialConfigPath?: string;
  username?: string;
  password?: string;
  /** One of them was given, whatever it turned out to be: the files that go to the nodes count on it. */
  withCredential?: boolean;
}

const credentialFields = ["pullCredentialConfigPath", "username", "password"] as const;
const openFields = {
  registryMirrors: ["endpoint", "caCert", "caCertPath", "hosts", "skipFallback", "insecure", "dialTimeout"],
  privateRegistries: ["host", "caCert", "caCertPath"],
} as const;
const nameFields = { registryMirrors: "endpoint", privateRegistries: "host" } as const;

type List = keyof typeof openFields;
/** Of an entry whose values may not be known yet. */
type Given = Readonly<Record<string, unknown>>;

/**
 * What everybody may see of an entry. A secret hides all that is made together with it, so an entry is taken apart
 * before its values are known.
 */
export function withoutSecrets(list: List, entry: object): Given {
  return chosen(entry as Given, openFields[list]);
}

/** The rest, with the place that it is for. */
export function secretsOnly(list: List, entry: object): Given {
  return chosen(entry as Given, [nameFields[list], ...credentialFields]);
}

function hasCredential(entry: Given): boolean {
  // An empty path is how a cluster file says none.
  return credentialFields.some(
    (field) => entry[field] !== undefined && !(field === "pullCredentialConfigPath" && entry[field] === ""),
  );
}

function chosen(entry: Given, fields: readonly string[]): Given {
  return {
    ...Object.fromEntries(fields.map((field) => [field, entry[field]])),
    withCredential: hasCredential(entry),
  };
}
