/** Where the public half goes: owner.pem → owner.pub.pem. */
export function publicPath(path: string): string {
  return `${path.replace(/\.pem$/, "")}.pub.pem`;
}
