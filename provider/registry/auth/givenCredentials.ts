import type { Problem } from "../../model/problem";

/** Which ways to the credentials of a registry are given: of the secret one only whether it is. */
export interface GivenCredentials {
  username?: string | undefined;
  withPassword: boolean;
  dockerConfigPath?: string | undefined;
  credentialCommand?: readonly string[] | undefined;
}

/** What is wrong with them together: `CREDENTIALS_TWICE`, `CREDENTIALS_INCOMPLETE`. */
export function credentialProblem(given: GivenCredentials, name = "registry"): Problem | undefined {
  const { withPassword, dockerConfigPath, credentialCommand } = given;
  const withUser = given.username !== undefined && given.username !== "";
  if (dockerConfigPath !== undefined && (withUser || withPassword)) {
    return twice(name, "both dockerConfigPath and username or password");
  }
  if (credentialCommand !== undefined && dockerConfigPath !== undefined) {
    return twice(name, "both credentialCommand and dockerConfigPath");
  }
  if (credentialCommand !== undefined && withPassword) {
    return twice(name, "both credentialCommand and password");
  }
  if (credentialCommand?.length === 0) {
    const text = `${name}: credentialCommand is an empty list; give a program and its arguments, or leave it out.`;
    return { code: "CREDENTIALS_INCOMPLETE", text };
  }
  if (credentialCommand === undefined && withUser !== withPassword) {
    const half = withPassword ? "password is given without username" : "username is given without password";
    return { code: "CREDENTIALS_INCOMPLETE", text: `${name}: ${half}; give both, or neither.` };
  }
  return undefined;
}

function twice(name: string, both: string): Problem {
  return { code: "CREDENTIALS_TWICE", text: `${name}: ${both} are given; leave one of them out.` };
}
