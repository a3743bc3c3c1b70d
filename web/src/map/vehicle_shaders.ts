// Draws each vehicle as one point: an arrow when it moves, a disc when it stands, a small grey disc when it is offline,
// with a ring in the colour of its gravest open alarm. The glide between two fixes happens here, not in script.

export const VERTEX_SHADER = `#version 300 es
layout(location = 0) in vec4 a_path;
layout(location = 1) in vec2 a_time;
layout(location = 2) in float a_heading;
layout(location = 3) in uvec4 a_style;
uniform mat4 u_matrix;
uniform float u_now;
uniform float u_size;
uniform float u_bearing;
uniform int u_pass;
uniform vec3 u_kinds[9];
uniform vec3 u_offline;
flat out vec3 v_colour;
flat out vec2 v_turn;
flat out int v_state;
flat out int v_level;
flat out float v_scale;
flat out float v_pixels;

void main() {
  int state = int(a_style.y);
  int level = int(a_style.z);
  int pass = level > 0 ? 2 : (state == 1 ? 0 : 1);
  if (a_style.w == 0u || state == 0 || (u_pass < 3 && pass != u_pass)) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 0.0;
    return;
  }
  float part = clamp((u_now - a_time.x) / max(a_time.y, 1e-6), 0.0, 1.0);
  gl_Position = u_matrix * vec4(mix(a_path.xy, a_path.zw, part), 0.0, 1.0);
  bool ringed = level > 0 || u_pass == 3;
  v_scale = ringed ? 1.75 : 1.0;
  v_pixels = u_size * v_scale * (state == 1 ? 0.72 : 1.0);
  gl_PointSize = v_pixels;
  float angle = a_heading - u_bearing;
  v_turn = vec2(cos(angle), sin(angle));
  v_state = state;
  v_level = u_pass == 3 && level == 0 ? 4 : level;
  v_colour = state == 1 ? u_offline : u_kinds[min(int(a_style.x), 8)];
}`;

export const FRAGMENT_SHADER = `#version 300 es
precision highp float;
flat in vec3 v_colour;
flat in vec2 v_turn;
flat in int v_state;
flat in int v_level;
flat in float v_scale;
flat in float v_pixels;
uniform float u_dots;
uniform vec3 u_levels[5];
out vec4 o_colour;

float side(vec2 p, vec2 a, vec2 b) {
  vec2 edge = b - a;
  vec2 to = p - a;
  vec2 rest = to - edge * clamp(dot(to, edge) / dot(edge, edge), 0.0, 1.0);
  return dot(rest, rest);
}

float arrow(vec2 p) {
  p.x = abs(p.x);
  vec2 tip = vec2(0.0, -0.78), wing = vec2(0.56, 0.66), notch = vec2(0.0, 0.34);
  float nearest = sqrt(min(side(p, tip, wing), side(p, wing, notch)));
  vec2 right = wing - tip;
  vec2 back = notch - wing;
  bool inside = right.x * (p.y - tip.y) - right.y * (p.x - tip.x) > 0.0
             && back.x * (p.y - wing.y) - back.y * (p.x - wing.x) > 0.0;
  return inside ? -nearest : nearest;
}

void main() {
  vec2 p = (gl_PointCoord * 2.0 - 1.0) * v_scale;
  float texel = 2.0 * v_scale / v_pixels;
  vec2 turned = vec2(v_turn.x * p.x + v_turn.y * p.y, -v_turn.y * p.x + v_turn.x * p.y);
  bool disc = u_dots > 0.5 || v_state != 3;
  float body = disc ? length(p) - (u_dots > 0.5 ? 0.66 : 0.52) : arrow(turned) - 0.02;
  float fill = 1.0 - smoothstep(-texel, texel, body);
  float rim = 1.0 - smoothstep(-texel, texel, body - 0.2);
  float hole = !disc || v_state != 2 || u_dots > 0.5 ? 0.0 : 1.0 - smoothstep(-texel, texel, length(p) - 0.2);
  vec3 colour = mix(vec3(1.0), v_colour, fill * (1.0 - hole));
  vec4 painted = vec4(colour * rim, rim) * (v_state == 1 ? 0.85 : 1.0);
  if (v_level > 0) {
    vec3 ring = u_levels[v_level];
    float around = 1.0 - smoothstep(0.12, 0.12 + texel, abs(length(p) - 1.34));
    float halo = (1.0 - smoothstep(1.3, 1.34, length(p))) * 0.22;
    vec4 under = vec4(ring * halo, halo);
    under = vec4(ring * around, around) + under * (1.0 - around);
    painted += under * (1.0 - painted.a);
  }
  o_colour = painted;
}`;
