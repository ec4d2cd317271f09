// Numbers as people read them.

// duration writes milliseconds.
export function duration(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms === 0) return "0 s";
  if (ms < 1) return `${Math.max(ms, 0.01).toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120000) return `${(ms / 1000).toFixed(0)} s`;
  return ms < 7200000 ? `${(ms / 60000).toFixed(0)} min` : `${(ms / 3600000).toFixed(1)} h`;
}

// seconds writes whole ones.
export const seconds = (n) => (n < 120 ? `${n} s` : duration(n * 1000));

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// short is a replica's name as far as it tells it from others: Docker's and Kubernetes' end in, or are, random letters.
export const short = (replica) => (replica.length > 8 ? (replica.includes("-") ? replica.slice(-5) : replica.slice(0, 6)) : replica);

// element makes one, with text and children.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "data") Object.assign(made.dataset, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}
