import type { Problem } from "../../model/problem";

/** Which ways to the credentials of a registry are given: of the secret one only whether it is. */
export interface GivenCredentials {
  username?: string | undefined;
  withPassword: boolean;
  dockerConfigPath?: string | undefined;
  credentialCommand?: readonly string[] | undefined;
}

/** What is wrong with them together: `CREDENTIALS_TWICE`, `CREDENTIALS_INCOMPLETE`. */
export function credentialProblem(given: GivenCredentials): Problem | undefined {
  const { withPassword, dockerConfigPath, credentialCommand } = given;
  const withUser = given.username !== undefined && given.username !== "";
  if (dockerConfigPath !== undefined && (withUser || withPassword)) {
    return twice("both dockerConfigPath and username or password");
  }
  if (credentialCommand !== undefined && dockerConfigPath !== undefined) {
    return twice("both credentialCommand and dockerConfigPath");
  }
  if (credentialCommand !== undefined && withPassword) {
    return twice("both credentialCommand and password");
  }
  if (credentialCommand?.length === 0) {
    const text = "registry: credentialCommand is an empty list; give a program and its arguments, or leave it out.";
    return { code: "CREDENTIALS_INCOMPLETE", text };
  }
  if (credentialCommand === undefined && withUser !== withPassword) {
    const half = withPassword ? "password is given without username" : "username is given without password";
    return { code: "CREDENTIALS_INCOMPLETE", text: `registry: ${half}; give both, or neither.` };
  }
  return undefined;
}

function twice(both: string): Problem {
  return { code: "CREDENTIALS_TWICE", text: `registry: ${both} are given; leave one of them out.` };
}
