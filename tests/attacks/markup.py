# ruff: noqa: E501
"""Text that wants to be live in formgrader or in feedback. ATTACK marks what must never be more than text."""

SCRIPT = "<script>ATTACK()</script>"
MARKUP = {
    "markdown-script": ("markdown", SCRIPT),
    "markdown-image": ("markdown", '<img src=x onerror="ATTACK()">'),
    "markdown-style": ("markdown", "<style>body { display: none /* ATTACK */ }</style>"),
    "markdown-unclosed": ("markdown", "<script\n>ATTACK()</script\n><svg/onload=ATTACK()>"),
    "markdown-comment": ("markdown", "<!-- --><iframe srcdoc='<script>ATTACK()</script>'></iframe>"),
    "markdown-escaped": ("markdown", "\\<script>ATTACK()</script> &lt;script&gt;ATTACK()"),
    "markdown-link": ("markdown", "[click](javascript:ATTACK()) [x][y]\n\n[y]: javascript:ATTACK() 'x'"),
    "markdown-entity-link": ("markdown", "[click](java&#115;cript:ATTACK()) <javascript:ATTACK()>"),
    "markdown-data": ("markdown", "![x](data:text/html;base64,ATTACK) [x](data:text/html,ATTACK)"),
    "markdown-missing-attachment": ("markdown", "![x](attachment:ATTACK.png)"),
    "markdown-tex": ("markdown", "$\\href{javascript:ATTACK()}{x}$ $$\\style{position:fixed}{ATTACK}$$ \\unicode{<script>ATTACK()}"),
    "markdown-title": ("markdown", '# x" onclick="ATTACK()" y="\n\n```a" onclick="ATTACK()\nx\n```'),
    "markdown-local-file": ("markdown", "![x](/etc/passwd) ![x](../../gradebook.db) ATTACK"),
    "raw-html": ("raw", SCRIPT),
    "code": ("code", f"# {SCRIPT}\nx = '<img src=x onerror=ATTACK()>'"),
    "printed": ("code", f"print({SCRIPT!r})\nprint('\\x1b]8;;javascript:ATTACK()\\x1b\\\\x\\x1b[31m')"),
    "displayed": ("code", f"from IPython.display import HTML, Javascript, SVG, display\ndisplay(HTML({SCRIPT!r}), Javascript('ATTACK()'))\nHTML({SCRIPT!r})"),
    "error": ("code", f"raise ValueError({SCRIPT!r})"),
    "error-type": ("code", f"raise type({SCRIPT!r}, (Exception,), {{}})()"),
}  # fmt: skip
ANSWERS = {
    "answer-message": f"def dot_product(u, v):\n    raise ValueError({SCRIPT!r} + '$\\\\href{{javascript:ATTACK()}}{{x}}$')\n",
    "answer-type": f"def dot_product(u, v):\n    raise type({SCRIPT!r}, (Exception,), {{}})({SCRIPT!r})\n",
    "answer-value": f"def dot_product(u, v):\n    return {SCRIPT!r}\n",
    "answer-type-name": f"Odd = type({SCRIPT!r}, (), {{'__repr__': lambda s: {SCRIPT!r}}})\ndef dot_product(u, v):\n    return Odd()\n",
    "answer-printed": f"def dot_product(u, v):\n    print({SCRIPT!r})\n    return 42.0\n",
    "answer-source-line": "def dot_product(u, v):\n    raise ValueError('x')  # <script>ATTACK()</script> `<b>ATTACK</b>`\n",
    "answer-warning": f"import warnings\ndef dot_product(u, v):\n    warnings.warn({SCRIPT!r}, type({SCRIPT!r}, (RuntimeWarning,), {{}}))\n    return (u * v).sum(-1)\n",
}  # fmt: skip
