// Every bus in one WebGL draw call: an arrow for its heading, colour for lateness, hollow when silent, ringed off route.
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibre } from "maplibre-gl";
import type { Fleet } from "../store/fleet";
import { FLAG, STATE, UNKNOWN } from "../wire";
import { mercator } from "./geo";
import { PALETTE, rgb, type Theme } from "./palette";

const FLOATS = 8; // x, y, heading, r, g, b, style, scale
const EARLY_S = -60; // Skate's bounds, by way of the dashboard reference
const LATE_S = 300;
const HIDDEN_AFTER_S = 300; // a bus silent for longer is in the lists, not on the map
const SIZE_PX = 19;

const VERTEX = `#version 300 es
uniform mat4 u_matrix; uniform vec2 u_viewport; uniform float u_size;
in vec2 a_corner; in vec2 a_place; in float a_heading; in vec3 a_color; in float a_style; in float a_scale;
out vec2 v_at; out vec3 v_color; out float v_style;
void main() {
  vec4 place = u_matrix * vec4(a_place, 0.0, 1.0);
  float c = cos(a_heading), s = sin(a_heading);
  vec2 turned = vec2(c * a_corner.x + s * a_corner.y, -s * a_corner.x + c * a_corner.y);
  gl_Position = place + vec4(turned * u_size * a_scale / u_viewport * 2.0 * place.w, 0.0, 0.0);
  v_at = a_corner; v_color = a_color; v_style = a_style;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
uniform vec3 u_halo; uniform vec3 u_selected;
in vec2 v_at; in vec3 v_color; in float v_style;
out vec4 color;
float arrow(vec2 p) { return max(dot(vec2(abs(p.x), p.y), normalize(vec2(2.1, 1.0))) - 0.3, -p.y - 0.42 + 0.22 * (1.0 - abs(p.x) * 2.0)); }
float disc(vec2 p) { return length(p) - 0.34; }
bool has(float bit) { return mod(floor(v_style / bit), 2.0) >= 1.0; }
void main() {
  float edge = fwidth(v_at.x);
  float shape = has(8.0) ? disc(v_at) : arrow(v_at);
  float inside = 1.0 - smoothstep(-edge, edge, shape);
  float border = 1.0 - smoothstep(-edge, edge, shape - 0.09);
  vec3 fill = v_color;
  float alpha = border;
  if (has(1.0)) { float hollow = 1.0 - smoothstep(-edge, edge, shape + 0.1); inside -= hollow; alpha = max(inside, (border - hollow) * 0.6); }
  vec3 rim = has(4.0) ? u_selected : u_halo;
  vec3 mixed = mix(rim, fill, clamp(inside, 0.0, 1.0));
  if (has(2.0)) { float ring = abs(length(v_at) - 0.46) - 0.035; float on = 1.0 - smoothstep(-edge, edge, ring); mixed = mix(mixed, v_color, on); alpha = max(alpha, on); }
  if (has(4.0)) { float ring = abs(length(v_at) - 0.47) - 0.03; float on = 1.0 - smoothstep(-edge, edge, ring); mixed = mix(mixed, u_selected, on); alpha = max(alpha, on); }
  if (alpha < 0.02) discard;
  color = vec4(mixed * alpha, alpha);
}`;

export class BusLayer implements CustomLayerInterface {
  readonly id = "buses";
  readonly type = "custom" as const;
  readonly renderingMode = "2d" as const;
  selected = -1;
  route: number | null = null;
  drawn = 0;
  private map: MapLibre | null = null;
  private gl: WebGL2RenderingContext | null = null;
  private program: WebGLProgram | null = null;
  private instances: WebGLBuffer | null = null;
  private array: WebGLVertexArrayObject | null = null;
  private data = new Float32Array(256 * FLOATS);
  private center: [number, number] = [0.5, 0.5];
  private count = 0;

  constructor(
    private readonly fleet: Fleet,
    private theme: Theme,
    private readonly nowS: () => number,
  ) {}

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.update();
  }

  onAdd(map: MapLibre, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    this.map = map;
    this.gl = gl as WebGL2RenderingContext;
    this.program = link(this.gl, VERTEX, FRAGMENT);
    this.array = this.gl.createVertexArray();
    this.instances = this.gl.createBuffer();
    this.gl.bindVertexArray(this.array);
    const corners = this.gl.createBuffer();
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, corners);
    this.gl.bufferData(
      this.gl.ARRAY_BUFFER,
      new Float32Array([-0.55, -0.55, 0.55, -0.55, -0.55, 0.55, 0.55, 0.55]),
      this.gl.STATIC_DRAW,
    );
    attribute(this.gl, this.program, "a_corner", 2, 8, 0, 0);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.instances);
    const stride = FLOATS * 4;
    attribute(this.gl, this.program, "a_place", 2, stride, 0, 1);
    attribute(this.gl, this.program, "a_heading", 1, stride, 8, 1);
    attribute(this.gl, this.program, "a_color", 3, stride, 12, 1);
    attribute(this.gl, this.program, "a_style", 1, stride, 24, 1);
    attribute(this.gl, this.program, "a_scale", 1, stride, 28, 1);
    this.gl.bindVertexArray(null);
    this.update();
  }

  /** Take the fleet as it is now; draws at the map's next frame. */
  update(): void {
    const { fleet } = this;
    const colors = PALETTE[this.theme];
    const [normal, early, late, critical] = [
      rgb(colors.normal),
      rgb(colors.early),
      rgb(colors.late),
      rgb(colors.critical),
    ];
    if (this.data.length < fleet.size * FLOATS)
      this.data = new Float32Array(Math.max(fleet.size, 2 * this.data.length) * FLOATS);
    const now = this.nowS();
    let n = 0;
    let centered = false;
    for (let i = 0; i < fleet.size; i++) {
      const age = fleet.fixAgeS(i, now);
      if (!fleet.placed(i) || age === null || age > HIDDEN_AFTER_S) continue;
      const [x, y] = mercator(fleet.get("lat_e6", i) / 1e6, fleet.get("lon_e6", i) / 1e6);
      if (!centered) {
        this.center = [x, y];
        centered = true;
      }
      const deviation = fleet.get("deviation_s", i);
      const state = fleet.get("state", i);
      let color = normal;
      if (fleet.has(i, FLAG.panic)) color = critical;
      else if (state === STATE.inService && deviation !== UNKNOWN.i16) {
        if (deviation < EARLY_S) color = early;
        else if (deviation > LATE_S) color = late;
      }
      const heading = fleet.get("heading_deg", i);
      const other = this.route !== null && fleet.get("route", i) !== this.route;
      const style =
        (fleet.has(i, FLAG.stale) ? 1 : 0) +
        (fleet.has(i, FLAG.offRoute) ? 2 : 0) +
        (i === this.selected ? 4 : 0) +
        (heading === UNKNOWN.u16 || state !== STATE.inService ? 8 : 0);
      const at = n * FLOATS;
      this.data[at] = x - this.center[0];
      this.data[at + 1] = y - this.center[1];
      this.data[at + 2] = heading === UNKNOWN.u16 ? 0 : (heading * Math.PI) / 180;
      this.data.set(color, at + 3);
      this.data[at + 6] = style;
      this.data[at + 7] = i === this.selected ? 1.35 : other ? 0.55 : state === STATE.inService ? 1 : 0.7;
      n++;
    }
    this.count = n;
    this.drawn = n;
    if (this.gl && this.instances) {
      this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.instances);
      this.gl.bufferData(this.gl.ARRAY_BUFFER, this.data.subarray(0, n * FLOATS), this.gl.DYNAMIC_DRAW);
    }
    this.map?.triggerRepaint();
  }

  render(gl: WebGLRenderingContext | WebGL2RenderingContext, input: CustomRenderMethodInput): void {
    const gl2 = gl as WebGL2RenderingContext;
    if (!this.program || !this.map || this.count === 0) return;
    const colors = PALETTE[this.theme];
    const canvas = this.map.getCanvas();
    gl2.useProgram(this.program);
    // Positions are kept relative to one bus: absolute Mercator in 32 bits would be off by metres.
    const matrix = shifted(input.defaultProjectionData.mainMatrix as ArrayLike<number>, this.center);
    gl2.uniformMatrix4fv(gl2.getUniformLocation(this.program, "u_matrix"), false, matrix);
    const ratio = canvas.width / canvas.clientWidth;
    gl2.uniform2f(gl2.getUniformLocation(this.program, "u_viewport"), canvas.width, canvas.height);
    gl2.uniform1f(gl2.getUniformLocation(this.program, "u_size"), SIZE_PX * ratio * zoomScale(this.map.getZoom()));
    gl2.uniform3fv(gl2.getUniformLocation(this.program, "u_halo"), rgb(colors.halo));
    gl2.uniform3fv(gl2.getUniformLocation(this.program, "u_selected"), rgb(colors.selected));
    gl2.enable(gl2.BLEND);
    gl2.blendFunc(gl2.ONE, gl2.ONE_MINUS_SRC_ALPHA);
    gl2.disable(gl2.DEPTH_TEST);
    gl2.bindVertexArray(this.array);
    gl2.drawArraysInstanced(gl2.TRIANGLE_STRIP, 0, 4, this.count);
    gl2.bindVertexArray(null);
  }
}

function zoomScale(zoom: number): number {
  return Math.min(1.5, Math.max(0.7, 0.7 + (zoom - 10) * 0.13));
}

function shifted(matrix: ArrayLike<number>, [x, y]: [number, number]): Float32Array {
  const out = new Float32Array(16);
  for (let i = 0; i < 16; i++) out[i] = matrix[i] as number;
  for (let row = 0; row < 4; row++) {
    out[12 + row] = (matrix[row] as number) * x + (matrix[4 + row] as number) * y + (matrix[12 + row] as number);
  }
  return out;
}

function attribute(
  gl: WebGL2RenderingContext,
  program: WebGLProgram,
  name: string,
  size: number,
  stride: number,
  at: number,
  divisor: number,
): void {
  const place = gl.getAttribLocation(program, name);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, size, gl.FLOAT, false, stride, at);
  gl.vertexAttribDivisor(place, divisor);
}

function link(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("no shader");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "program");
  return program;
}
