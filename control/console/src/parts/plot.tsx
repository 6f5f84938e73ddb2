// A line over time (uPlot). The figures that it draws are said beside it, for those who do not see it.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { theme } from '../state';

interface Line {
  label: string;
  values: number[];
  color: 'calm' | 'warn';
}

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Plot({ label, x, series, format, height = 180 }: { label: string; x: number[]; series: Line[]; format: (value: number) => string; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [x, ...series.map((one) => one.values)];
  useEffect(() => {
    const parent = box.current;
    if (!parent) return;
    const axis = { stroke: css('--soft'), grid: { stroke: css('--line'), width: 1 }, ticks: { stroke: css('--line'), width: 1 }, font: '12px system-ui' };
    const made = new uPlot(
      {
        width: Math.max(260, parent.clientWidth),
        height,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.1)] } },
        axes: [
          { ...axis, values: (_u, values) => values.map((value) => `${value} s`) },
          { ...axis, size: 84, values: (_u, values) => values.map(format) },
        ],
        series: [{}, ...series.map((one) => ({ label: one.label, stroke: css(one.color === 'calm' ? '--calm' : '--warn'), width: 2, points: { show: false } }))],
      },
      data,
      parent,
    );
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(260, parent.clientWidth), height }));
    watch.observe(parent);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme.value, label]);
  useEffect(() => plot.current?.setData(data));
  const now = series.map((one) => `${one.label}: ${format(one.values[one.values.length - 1] ?? 0)}`).join(', ');
  return (
    <figure class="plot">
      <div ref={box} role="img" aria-label={`${label}. ${now}`} />
      <figcaption>
        {series.map((one) => (
          <span key={one.label} class={`key ${one.color}`}>
            {one.label}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
