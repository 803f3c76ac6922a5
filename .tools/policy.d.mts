export function originOf(address: string): string;
export function openTo(
  html: string,
  addresses: readonly string[],
  options?: { tokenLogin?: boolean },
): string;
