"""The same in Spanish: lines of characters in games, and plain sentences.

Fillers bring their articles, so that the grammar needs no genders. The plain sentences are the proverbs and sayings of
Debian's package `fortunes-es`, which are in the public domain. Held out are the same share of lines, by the same hash.
"""

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from finetune.tiny.lines import MAX_WORDS, in_turns, is_held_out, shuffled

FORTUNES = Path("/usr/share/games/fortunes/es")

_FILLERS: dict[str, str] = {
    "name": "Ana|Tomás|Marta|Óscar|Clara|Enrique|Alicia|Simón|Rosa|Víctor|Elena|Marcos|Julia|Lucía|Félix|Laura|Pedro|"
    "Nora|Javier|Íñigo|Begoña|Joaquín|Ximena|Guillermo",
    "person": "guardia|capitán|mercader|mago|cazador|granjero|panadero|forastero|viajero|herrero|maestro|soldado|"
    "caballero|príncipe|marinero|minero|sabio|cocinero|sirviente|muchacho|amigo|hermano|compañero|vecino|señor|jefe|"
    "piloto|ingeniero|sargento|coronel|comandante|científico|médico|abogado|músico|carpintero|explorador|guerrero",
    "who": "la reina|el rey|la bruja|el mago|la guardia|el capitán|la princesa|el príncipe|el herrero|la cocinera|"
    "el ladrón|la hechicera|el juez|la alcaldesa|el pastor|el pescador|la curandera|mi padre|mi madre|mi abuela|"
    "tu hermana|nuestro tío|su hija|el general|la doctora|el emperador|la ingeniera|el viejo ermitaño|la vieja|el niño",
    "foe": "el lobo|el dragón|el duende|el bandido|el trol|el fantasma|la araña|el ladrón|la bruja|el gigante|"
    "el pirata|"
    "el oso|la serpiente|el monstruo|el demonio|el esqueleto|el vampiro|la bestia|la sombra|el traidor",
    "foes": "los lobos|los dragones|los duendes|los bandidos|los fantasmas|las arañas|los ladrones|las brujas|"
    "los gigantes|los piratas|los osos|las serpientes|los monstruos|las ratas|los enemigos|las sombras|los guerreros",
    "item": "la espada|el escudo|el arco|la flecha|la poción|el mapa|la llave|la linterna|la cuerda|la moneda|"
    "el anillo|"
    "la corona|la carta|el libro|la piedra|el martillo|la manzana|el caballo|el abrigo|el casco|el cuchillo|la lanza|"
    "el hacha|la antorcha|la vela|la botella|la bolsa|la caja|el cofre|el cristal|la pluma|el espejo|el pergamino|"
    "el collar|el cinturón|la manta|la cesta|la copa|el tambor|la campana|la bandera|la máscara|la brújula|el barco|"
    "el carro|la joya|la estatua|el reloj|la silla|la mesa|la ventana|la puerta|el jarrón|el zapato|el guante",
    "items": "espadas|escudos|flechas|pociones|mapas|llaves|cuerdas|monedas|anillos|cartas|libros|piedras|manzanas|"
    "caballos|cuchillos|lanzas|antorchas|velas|botellas|bolsas|cajas|cristales|plumas|hierbas|setas|flores|semillas|"
    "huesos|joyas|armas|herramientas|botas|guantes|naranjas|cebollas|huevos|quesos|panes",
    "goods": "pan|agua|vino|carne|queso|miel|sal|hierro|oro|plata|madera|cuero|seda|lana|trigo|sopa|medicina|pólvora|"
    "aceite|leche|arroz|maíz|té|chocolate|azúcar|pescado|cerveza|zumo|jamón|fruta",
    "place": "la puerta|el mercado|el castillo|la aldea|el bosque|el río|el puente|la montaña|la torre|el puerto|"
    "la cueva|"
    "el templo|la taberna|el molino|el jardín|el camino|el valle|la ciudad|el pueblo|la granja|la mina|el campamento|"
    "el desierto|la isla|el lago|el pantano|las ruinas|la biblioteca|la prisión|el palacio|la iglesia|la escuela|"
    "la cocina|el establo|el sótano|la muralla|la plaza|la orilla|la colina|la posada|el cementerio|la fuente|"
    "la frontera|la cascada|el viejo pozo|la estación|el hospital|la fábrica|el laboratorio|el museo|el teatro|"
    "el hotel",
    "feeling": "muy bien|muy mal|en peligro|a salvo|de acuerdo|en guerra|con hambre|con sed|con miedo|con frío|"
    "sin fuerzas|sin dinero|de viaje|lejos de casa|cerca del final|en silencio|de buen humor|triste|feliz|alegre",
    "when": "hoy|esta noche|mañana|ahora|otra vez|pronto|más tarde|al amanecer|al mediodía|a medianoche|"
    "antes de la noche|esta tarde|la semana que viene|después de la batalla|antes de la tormenta|el lunes|el jueves|"
    "el próximo invierno|en enero|en septiembre",
    "past": "ayer|anoche|esta mañana|el año pasado|hace dos días|hace una semana|hace mucho tiempo|hace una hora|"
    "el verano pasado|hace ocho años",
    "do": "busca|trae|mira|sigue|abre|cierra|toma|guarda|lleva|quema|esconde|vende|rompe|arregla|limpia|destruye|"
    "protege|compra|entrega|mueve|olvida|recuerda|enciende|coge|enseña|lee|prueba|cambia|recoge|devuelve",
    "todo": "buscar|traer|mirar|seguir|abrir|cerrar|coger|guardar|llevar|quemar|robar|esconder|vender|romper|arreglar|"
    "limpiar|destruir|proteger|comprar|entregar|mover|olvidar|recordar|encontrar|construir|dibujar|cruzar|elegir",
    "did": "encontró|trajo|siguió|abrió|cerró|guardó|llevó|quemó|robó|escondió|vendió|rompió|arregló|destruyó|protegió|"
    "buscó|perdió|compró|construyó|regaló|dibujó|eligió|tocó|pagó",
    "fight": "luchar contra|matar a|cazar a|parar a|perseguir a|atacar a|vencer a|asustar a|encontrar a|engañar a",
    "act": "dormir|esperar|correr|descansar|comer|beber|cantar|bailar|hablar|escuchar|entrenar|rezar|trabajar|salir|"
    "pelear|cabalgar|nadar|subir|cavar|leer|escribir|cocinar|viajar|volver|empezar|jugar|huir|reír|llorar|pensar",
    "acting": "durmiendo|esperando|corriendo|descansando|comiendo|bebiendo|cantando|bailando|hablando|escuchando|"
    "entrenando|rezando|trabajando|cabalgando|nadando|cavando|leyendo|escribiendo|cocinando|viajando|llorando|riendo",
    "weather": "la lluvia|la nieve|el viento|la niebla|el trueno|el sol|la luna|el calor|el hielo|el humo|el polvo|"
    "la oscuridad|la tormenta|el rayo",
    "virtue": "el valor|el honor|la paciencia|la sabiduría|la justicia|la lealtad|la bondad|la amistad|la esperanza|"
    "la fe|el amor|la suerte|la paz|la libertad|la gloria|la riqueza|la fuerza|la belleza|la verdad|la venganza",
    "trouble": "el miedo|la ira|el odio|la tristeza|el dolor|la culpa|la duda|el peligro|el hambre|la fiebre|el veneno|"
    "la plaga|la traición|la derrota|la muerte|el caos|la pobreza|la guerra",
    "animal": "el perro|el gato|el conejo|el zorro|el ciervo|el león|el tigre|el mono|el elefante|el burro|la cabra|"
    "la oveja|la vaca|el cerdo|el pato|el águila|el búho|el cuervo|la paloma|el loro|la tortuga|la rana|el cangrejo|"
    "la ballena|el delfín|la abeja|la mariposa|el gusano|la ardilla|el erizo",
    "verbs": "aparece|llega|empieza|brilla|respira|desaparece|sueña|cae|crece|aúlla|salta|miente|escucha|vuelve|grita|"
    "duerme|sonríe|habla|gira|tiembla|susurra|gana|trabaja|huele mal|canta|muere|vive|ruge",
    "quality": "grande|fuerte|débil|pobre|verde|azul|gris|noble|cruel|humilde|alegre|triste|terrible|increíble|enorme|"
    "invisible|imposible|importante|diferente|inútil|especial|fácil|difícil|feliz|veloz|brillante|salvaje|valiente|"
    "elegante|caliente|dulce|suave|frágil|horrible|amable|inteligente|peligroso de verdad|muy caro|casi perfecto",
    "number": "dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieciséis|diecisiete|"
    "veinte|veintidós|treinta|cuarenta y cinco|cincuenta|sesenta|setenta y ocho|noventa|cien|doscientos|quinientos|mil",
    "hello": "hola|buenos días|buenas tardes|buenas noches|bienvenido|saludos|oye|amigo mío|ah|eh",
    "bye": "adiós|hasta luego|buen viaje|buenas noches|hasta mañana|buena suerte|hasta pronto|cuídate",
    "please": "por favor|escucha|mira|espera|cuidado|rápido|silencio|vamos|bueno|pues|no|sí|muy bien|claro|"
    "confía en mí",
    "shout": "alto|ayuda|corre|fuego|al ataque|retirada|deprisa|silencio|basta|nunca|sígueme|atrás|cuidado|por aquí|"
    "a las armas|al suelo|sin piedad|victoria|por el rey|déjame en paz|detrás de ti|otra vez no|bien hecho|acércate|"
    "apártate|arriba las manos|todos a sus puestos|viva la reina",
    "short": "sí|no|quizás|por supuesto|todavía no|gracias|muchas gracias|quién sabe|bien|muy bien|de verdad|nada|todo|"
    "siempre|a veces|ya es hora|ya veo|lo sé|estoy de acuerdo|me niego|lo prometo|lo siento|hoy no|como quieras|"
    "vámonos|así sea|estoy listo|ten cuidado|demasiado tarde|no importa|ni hablar|ya voy|eso es|aquí estoy|adelante",
    "ask": "por qué|dónde|cuándo|cómo|qué|quién|cuánto|quién eres|qué pasa|qué quieres|adónde vas|de verdad|"
    "y ahora qué|"
    "quién anda ahí|cómo te llamas|qué ha pasado|alguna noticia|me oyes",
}  # fmt: skip

_TEMPLATES = """
{hello}, {name}. | {hello}, {person}. | {hello}, {name}, ¿cómo estás {when}? | Bienvenido a casa, {person}. | {bye}, {name}. | {bye}, {person}.
Me llamo {name} y soy el {person} de este lugar. | Dicen que {name} vive cerca de aquí. | ¿Quién eres, {person}? | ¡{hello}, {name}! | ¿{name}?
{please}, {do} {item}. | {do} {item} y {do} {item}. | {please}, {name}, {do} {item} y vuelve {when}. | ¿Puedes {todo} {item} por mí? | Tenemos que {todo} {item} {when}.
Necesito {number} {items} y un poco de {goods}. | Si me ayudas, te daré {number} monedas. | ¿Me ayudas a {fight} {foe}? | Cuesta {number} monedas, {person}. | Vendo {items}, {items} y {goods}.
{who} {did} {item} {past}. | {who} {did} {item} en {place}. | {name} {did} {item} y {did} {item}. | ¿Quién {did} {item}? | Nadie sabe quién {did} {item}.
¡Hay {number} {items} en {place}! | ¡Cuidado, {foes} están aquí! | {foe} está {acting} en {place}. | Nunca confíes en {foe}. | ¡{foes} vienen hacia {place}!
No puedes {act} aquí, {person}. | No debes {todo} {item}. | No voy a {todo} {item}, {name}. | Hay que {fight} {foes} {when}. | Quiero {act} {when}. | Vamos a {act}, {name}.
¿Dónde está {place}? | ¿Dónde está {item}? | ¿Por qué estás {acting} en {place}? | ¿Qué quieres, {person}? | ¿Has visto a {who}? | ¿Has visto {item}? | ¿Cuántas {items} quieres?
{place} está al norte de aquí. | {place} está al sur, después de {place}. | Gira a la izquierda en {place}. | Gira a la derecha y sigue recto. | Está a {number} pasos de {place}.
Estoy {feeling}, {name}. | {who} está {feeling}. | Estamos {feeling} {when}. | ¿Estás {feeling}, {person}? | No estoy {feeling}. | Me duele la cabeza, {name}. | Me duele el brazo.
{who} está {acting} en {place}. | Alguien está {acting} detrás de ti. | Oigo a {who} {acting}. | Quédate cerca de mí, {person}. | Aléjate de {place}. | Ven conmigo a {place}.
Dicen que {foe} {did} {item}. | Dicen que {foes} viven en {place}. | Nadie sale de {place} {when}. | Todos en {place} están {acting}. | Cada invierno {foes} vuelven a {place}.
{item} es {quality} y {quality}. | {place} es {quality}. | {who} es {quality}. | ¡Qué {quality}! | {item} era de {who}. | {place} pertenece a {who}. | Esto es {quality}, {name}.
{weather} viene del norte. | No me gusta {weather}. | {weather} no nos detendrá. | Después de {weather} llega {weather}. | Mira {weather} sobre {place}.
He esperado {number} días por {item}. | Tienes {number} minutos para {todo} {item}. | Son las siete y media, {name}. | Nos vemos {when} en {place}. | Salimos {when}.
Gracias, {name}, me has salvado. | Gracias por {item}. | Te debo {number} monedas. | Tienes mi palabra, {person}. | ¡Jamás podrás {fight} {who}! | ¡Pagarás por esto, {person}!
¡{shout}! | ¡{shout}, {person}! | ¡{shout}! ¡{foes} están {acting}! | {short}. | {short}, {name}. | {short}, {short}. | ¡{shout}! ¡{shout}! | ¿{ask}? | ¿{ask}, {person}? | {short}. ¿{ask}?
Sí, {who} está {acting}. | No, {item} es {quality}. | Creo que {who} está {feeling}. | Sé dónde {who} {did} {item}. | Ojalá pudiera {act} como {who}. | Si ves a {foe}, tienes que {act}.
Cuando suene la campana, {do} {item}. | Antes de {act}, {do} {item}. | Hasta {when}, {place} está cerrado. | Había una vez un {person} que {did} {item}. | Pon {item} sobre la mesa.
Háblame de {place}. | Háblame de {who}. | Dile a {who} que estoy {feeling}. | Pregunta a {who} por {item}. | {name} espera en {place}. | Solo {who} puede {todo} {item}.
Tu misión es {fight} {foe}. | Tu recompensa son {number} {items}. | Aquí tienes {item}, {person}. | La llave de {place} está en {item}. | Usa {item} para {todo} {item}.
{animal} está {acting}. | {animal} {verbs} en {place}. | He soñado con {animal}. | {animal} y {animal} viven en {place}. | Cuidado, {animal} {verbs}. | Nunca {verbs} solo.
Sin {virtue} no hay {virtue}. | {virtue} vale más que {virtue}. | {virtue} {verbs}, pero {trouble} {verbs}. | {trouble} no me detendrá. | {who} teme {trouble}. | Mi corazón conoce {trouble}.
Prefiero {act} a {act}. | No sé {act}, {name}. | ¿Sabes {act}? | Es hora de {act}. | Es difícil {act} sin {goods}. | {who} quiere {act} con {who}. | Ayer {who} {did} {item} y hoy está {acting}.
Queda {goods} en {place}. | ¿Quieres {goods}, {name}? | Me gusta {goods} con {goods}. | No hay {goods} ni {goods}. | Huele a {goods}. | Trae {goods}, {goods} y {number} {items}.
"""  # fmt: skip  # noqa: E501

_SLOT = re.compile(r"\{(\w+)\}")
_CHOICES = {slot: fillers.split("|") for slot, fillers in _FILLERS.items()}
_SENTENCES = [part.strip() for row in _TEMPLATES.strip().splitlines() for part in row.split(" | ")]
_PLAIN = re.compile(r"[¿¡]?[A-ZÑÁÉÍÓÚÜ][A-Za-zñáéíóúüÑÁÉÍÓÚÜ,;!¡¿? -]*[.!?]")


def lines(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Yields lines for ever, the same ones for the same seed; `held_out` as in `finetune.tiny.lines`."""
    rng = random.Random(seed)
    while True:
        line = _sentence(rng)
        while len(line.split()) <= 12 and rng.random() < 0.25:
            line = f"{line} {_sentence(rng)}"
        if len(line.split()) <= MAX_WORDS and held_out in (None, is_held_out(line)):
            yield line


def sentences(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Plain sentences in a random order, all of them before any comes again."""
    return shuffled(plain(), seed, held_out)


def mixed(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Lines and plain sentences, in the shares of `finetune.tiny.lines`."""
    return in_turns(lines(seed, held_out=held_out), sentences(seed, held_out=held_out), seed)


@cache
def plain() -> tuple[str, ...]:
    """The sayings' sentences. Raises `FileNotFoundError` without the package."""
    if not FORTUNES.is_dir():
        raise FileNotFoundError(f"{FORTUNES} is missing; install fortunes-es")
    found: dict[str, None] = {}
    for path in sorted(FORTUNES.glob("*.fortunes")):
        for saying in path.read_text(encoding="utf-8", errors="replace").split("\n%\n"):
            text = " ".join(saying.split("--")[0].split()).strip('"« »')
            for sentence in re.findall(r"[^.!?]+[.!?]+", text):
                sentence = sentence.strip()
                if _PLAIN.fullmatch(sentence) and 3 <= len(sentence.split()) <= MAX_WORDS:
                    found[sentence] = None
    return tuple(found)


def _sentence(rng: random.Random) -> str:
    sentence = _SLOT.sub(lambda slot: rng.choice(_CHOICES[slot[1]]), rng.choice(_SENTENCES))
    sentence = re.sub(r"\b(a|de) el\b", lambda m: "al" if m[1] == "a" else "del", sentence)
    # Capitals start sentences; the opening marks do not count.
    return re.sub(r"(^[¿¡]?|[.!?] [¿¡]?)([a-zñáéíóú])", lambda m: m[1] + m[2].upper(), sentence)
