/** Colours for light pages, and for dark pages if the viewer prefers them. */
export const chartStyle = `
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #475569; }
.page { fill: #ffffff; }
.title { font-size: 18px; font-weight: 600; fill: #0f172a; }
.heading { font-size: 14px; font-weight: 600; fill: #0f172a; }
.good { font-size: 13px; font-weight: 600; fill: #15803d; text-anchor: end; }
.bad { font-size: 13px; font-weight: 600; fill: #dc2626; text-anchor: end; }
.section, .middle { text-anchor: middle; }
.end { text-anchor: end; }
path { fill: none; }
.bracket { stroke: #94a3b8; }
.grid { stroke: #e2e8f0; }
.window { fill: #f59e0b; fill-opacity: 0.13; }
.file { stroke: #d97706; stroke-width: 1.5; }
.database { stroke: #d97706; stroke-width: 1.5; stroke-dasharray: 2 3; }
.wrong-file { stroke: #dc2626; stroke-width: 1.5; stroke-dasharray: 6 3; }
.p99 { stroke: #2563eb; stroke-width: 2; stroke-linejoin: round; }
.p50 { stroke: #93c5fd; stroke-width: 2; stroke-linejoin: round; }
.failure { fill: #dc2626; fill-opacity: 0.75; }
.hung { stroke: #991b1b; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #94a3b8; }
  .page { fill: #0f172a; }
  .title, .heading { fill: #f1f5f9; }
  .good { fill: #4ade80; }
  .bad { fill: #f87171; }
  .bracket { stroke: #64748b; }
  .grid { stroke: #1e293b; }
  .p99 { stroke: #60a5fa; }
  .p50 { stroke: #1d4ed8; }
  .failure { fill: #f87171; }
  .hung { stroke: #fca5a5; }
}
`;
