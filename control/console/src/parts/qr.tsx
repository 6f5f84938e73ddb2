// A QR code drawn here: the secret of a second factor leaves this page for no other host.
import qrcode from 'qrcode-generator';

export function Qr({ text, label }: { text: string; label: string }) {
  const code = qrcode(0, 'M');
  code.addData(text);
  code.make();
  const n = code.getModuleCount();
  const margin = 4;
  let path = '';
  for (let row = 0; row < n; ++row)
    for (let column = 0; column < n; ++column) if (code.isDark(row, column)) path += `M${column + margin},${row + margin}h1v1h-1z`;
  const size = n + 2 * margin;
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
