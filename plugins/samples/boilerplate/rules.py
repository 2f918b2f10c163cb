"""What is boilerplate: what web pages have around their texts, and what templates leave in theirs.

What a module does when it is imported is done once, when the component is built: the patterns are in it,
compiled.
"""

import re
from collections.abc import Iterator


class Rule:
    """A regular expression, of which one of some words is a part.

    Words are looked for much faster than expressions, and most texts have none of them.
    """

    def __init__(self, words: str, pattern: str) -> None:
        self.words = words.split("|")
        self.pattern = re.compile(pattern, re.IGNORECASE | re.VERBOSE)

    def may_be_in(self, lower: str) -> bool:
        """Whether a text in lower case has one of the words."""
        return any(word in lower for word in self.words)


# Of sentences and lines, by what they are there for.
RULES = {
    "advertising": Rule("advertisement|continue", r"""
        ^\W* advertisements? \W* $
        | ^\W* advertisement\ -
        | \b(?: article | story )\ continues\ (?: after | below )\b
        | \bcontinue\ reading\ (?: below | the\ main\ story )\b
    """),
    "subscribing": Rule("newsletter|subscrib|sign up|inbox|receive e", r"""
        \bnewsletter\ sign\ ?up\b
        | \b(?: subscribe | sign\ up )\ (?: now | here | today | via | (?: to | for )\ (?: our | the | free ) )\b
        | \b(?: directly | delivered | straight )\ to\ your\ inbox\b
        | \bthank\ you\ for\ subscribing\b
        | \byou\ (?: will | may )\ receive\ e-?mails\b
    """),
    "sharing": Rule("share|tweet|mail|print|facebook|twitter|reddit|pinterest|linkedin|whatsapp|instagram", r"""
        ^\W* (?: (?: share (?:\ (?: this | on | it | via )(?:\ (?: article | page | post | story ))? )?
            | tweet | pin\ it | e-?mail | print | facebook | twitter | reddit | pinterest | linkedin
            | whatsapp ) (?: \W+ | $ ) )+ $
        | \bread\ or\ share\ this\ story\b
        | \bclick\ to\ (?: share | e-?mail )\b
        | ^\W* (?: like | follow )\ .{1,40}\ on\ (?: twitter | facebook | instagram )\b
    """),
    "navigation": Rule("more|continue reading|see also|comments|to top|related|skip|click here|edit", r"""
        ^\W* (?: read\ more | continue\ reading | load\ more | see\ also | view\ comments | back\ to\ top
            | related\ (?: stories | articles | topics | posts ) | skip\ to\ (?: content | main ) )\b .{0,60} $
        | \bclick\ here\b
        | \[\ ?edit\ ?\] \W* $
    """),
    "captions": Rule("image|caption|photo|picture|/", r"""
        \bimage\ (?: copyright | caption )\b
        | \bmedia\ caption\b
        | /\ ?(?: getty | afp | ap | reuters | epa )\b
        | ^\W* (?: photo | image | picture )s? (?: \ by\b | \ credit | \ courtesy | : )
    """),
    "copyright": Rule("copyright|©|(c)|rights reserved|may not be", r"""
        \ball\ rights\ reserved\b
        | (?: © | \(c\) | \bcopyright )\ ?(?: ©\ ? )?\d{4}\b
        | \bmay\ not\ be\ (?: reproduced | published | republished | rewritten | redistributed )\b
    """),
    # The policy notices of Raffel et al. 2020 (C4), section 2.2.
    "policies": Rule("terms of|policy|cookies", r"""
        \b(?: terms\ of\ (?: use | service ) | privacy\ policy | cookie\ policy | uses\ cookies
            | use\ of\ cookies | use\ cookies )\b
    """),
    "browsers": Rule("javascript|your browser|blocker|robot", r"""
        \b(?: enable | turn\ on | requires )\ javascript\b
        | \byour\ browser\ (?: does\ not | doesn.t )\ support\b
        | \b(?: turn\ off | disable )\ your\ ad\ ?blocker\b
        | \bverify\ you.re\ not\ a\ robot\b
    """),
}

# Of texts: what a template or a designer leaves where something should be.
PLACEHOLDER = Rule("{{|${|<%|%(|[insert|[enter|[your|lorem ipsum", r"""
    \{\{ [^{}\n]{1,60} \}\}
    | \$\{ \w{1,60} \}
    | <% [^%\n]{1,60} %>
    | % \( \w{1,60} \) [sd] \b
    | \[ (?: insert | enter )\ [^\]\n]{1,60} \]
    | \[ your\ (?: full\ )?(?: name | company | address | e-?mail | city | title | phone )\b [^\]\n]{0,40} \]
    | \blorem\ ipsum\b
""")

_END = re.compile(r"\n+|(?<=[.!?])\s+")


def parts(text: str) -> Iterator[str]:
    """The lines of a text, and of those the sentences."""
    return (part for part in _END.split(text) if part)
